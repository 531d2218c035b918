-- What scripts share that read and write the state of a queue.

-- A look at the state: nil where a field is missing.
local function state(...)
	local values = redis.call('HMGET', STATE, ...)
	for i = 1, #values do
		if not values[i] then values[i] = nil end
	end
	return values
end

-- Wakes one receiver that waits. A token says that there may be something that the streams
-- themselves do not announce. Who takes one and finds work passes it on; who finds nothing adds
-- itself to those who have seen it, and drops it when it meets itself. A timer is for one only.
--
-- There is one at most. Who comes while it is on its way leaves a note, and it is followed by another. One
-- that has been there for long may have gone to somebody who has died with it, and is replaced.
local function wake(kind, seen)
	local there = redis.call('XRANGE', WAKE, '-', '+', 'COUNT', 1)[1]
	local old = there and math.abs(redis.call('TIME')[1] - string.match(there[1], '^%d+') / 1000) > 2
	if not there or old then
		redis.call('XADD', WAKE, 'MAXLEN', 1, '*', 'k', old and 'work' or kind, 'x', seen or '')
	elseif kind == 'work' then
		redis.call('HSET', STATE, 'missed', kind)
	else
		redis.call('HSETNX', STATE, 'missed', kind)
	end
end

-- Lets nobody sleep beyond a time; the earliest such time is given and comes back.
local function by(time, next)
	if next and next <= time then return next end
	redis.call('HSET', STATE, 'next', int(time))
	return time
end

-- Adds an entry to its stream, and notes that the priority is in use.
local function append(p, used, ...)
	if p > 0 and not string.find(used, p, 1, true) then
		local all = {p}
		for digit in string.gmatch(used, '%d') do all[#all + 1] = tonumber(digit) end
		table.sort(all, function(a, b) return a > b end)
		used = table.concat(all)
		redis.call('HSET', STATE, 'used', used)
	end
	redis.call('XADD', STREAM[p + 1], '*', ...)
	return used
end

-- An envelope that waits for its time is a member of DELAYED, as one text: a header of
-- priority, birth, visibility ('' for none) and the length of the state, then state and envelope.
local function pack(p, unique, born, visibility, state, envelope)
	return p .. ' ' .. unique .. ' ' .. born .. ' ' .. visibility .. ' ' .. #state .. ' ' .. state .. envelope
end
