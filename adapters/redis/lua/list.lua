#!lua flags=no-writes
-- Shows a page of the tasks of one queue that are in one state, and changes nothing.
--
-- KEYS: those of the queue (see keys.go).
-- ARGV: offset of the clock; the state; most tasks; the name and the id of those that are wanted, '' for all; the cursor,
--   '' for the first page.
--
-- It answers the time, the next cursor, '' where there is none, at how many entries it has looked, and for each task five texts: its place; "<delivery number>
-- <when its lease ends or 0> <session>"; then as receive.lua does where it is and what has become of it, its envelope and its state.
-- It looks at 1,000 entries or 1 MiB of envelopes, whichever comes first, so a page may have less than there is.
local now, state, limit, task, id, cursor = clock(tonumber(ARGV[1])), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local shown, looked, bytes, next = {}, 0, 0, ''

-- Whether an envelope may be wanted. Of what is none the reader makes an id.
local function wanted(envelope)
	if task ~= '' and string.match(envelope, '^(%S+) ') ~= task then return false end
	return id == '' or string.find(envelope, id, 1, true) ~= nil or string.find(id, 'malformed-', 1, true) == 1
end

local function show(t)
	if not wanted(t.envelope) then return end
	local head = t.p .. ' ' .. t.id .. ' ' .. (t.born or '-') .. ' ' .. (t.due or '-')
	if t.interruptions then head = head .. ' ' .. t.interruptions end
	for _, text in ipairs({t.place, (t.number or 0) .. ' ' .. (t.lapses or 0) .. ' ' .. (t.session or ''), head, t.envelope, t.state}) do
		shown[#shown + 1] = text
	end
end

-- An entry's fields, and nil where it is gone.
local function read(p, id)
	local fields = entry(p, id)
	if fields then bytes = bytes + #(field(fields, 'e') or '') end
	return fields
end

-- Notes that a place has been looked at, at a part of the cost of an entry, and reports whether that is enough.
local function passed(place, cost)
	next, looked = place, looked + cost
	return #shown >= 5 * limit or looked >= 1000 or bytes >= 1048576
end

-- What stands in line again at a priority.
local function listBack(p, from)
	while true do
		local addr = backBehind(p, from)
		if not addr then return false end
		local priority, id = place(addr)
		local fields = read(priority, id)
		if fields then show(asTask(priority, id, fields, true)) end
		from = string.sub(addr, 1, TOLD)
		if #addr > TOLD then from = from .. '\255' end -- it is no address
		if passed(p .. 'b' .. from, 1) then return true end
	end
end

-- What nobody has had yet at a priority.
local function listFresh(p, from)
	local last = lastLent(p)
	if from == '' or later(last, from) then from = last end
	while true do
		local id, fields = entryBehind(p, from)
		if not id then return false end
		local t = asTask(p, id, fields)
		bytes = bytes + #t.envelope
		show(t)
		from = id
		if passed(p .. 'f' .. from, 1) then return true end
	end
end

-- What waits for its time, or has done so until now and will be put in line by the next receiver.
local function listWaiting(sets, from, to, cursor, prefix, fits)
	return byScore(sets, from, to, cursor, function(set, member, score, place)
		local t = waitingTask(set, member, score)
		if t then bytes = bytes + #t.envelope end
		if t and fits(t) then show(t) end
		return passed(prefix .. place, 1)
	end)
end

local function listReady()
	local p, kind, from = string.match(cursor, '^(%d)([bf])(.*)$')
	if string.sub(cursor, 1, 1) ~= 'w' then
		for priority = tonumber(p or 9), 0, -1 do
			local here = tonumber(p) == priority
			if not (here and kind == 'f') and listBack(priority, here and from or '') then return true end
			if listFresh(priority, here and kind == 'f' and from or '') then return true end
		end
	end
	return listWaiting({HELD, REST, DELAYED}, '(-inf', now, string.match(cursor, '^w(.*)$') or '', 'w', function() return true end)
end

-- What somebody has had and has not settled: it runs, stands in line again, rests or is set aside.
local function listLent(show)
	local first, from = string.match(cursor, '^(%d) (.*)$')
	for p = tonumber(first or 9), 0, -1 do
		local after = p == tonumber(first) and '(' .. from or '-'
		repeat
			local pending = redis.pcall('XPENDING', STREAM[p + 1], GROUP, after, '+', 100)
			for _, one in ipairs(pending) do
				after = '(' .. one[1]
				if passed(p .. ' ' .. one[1], show(p, one[1], one[2])) then return true end
			end
		until #pending < 100
	end
	return false
end

local function isAside(fields, addr) return redis.call('ZSCORE', ASIDE, taskOf(fields) .. '\n' .. addr) end

local function showAside(p, id)
	local addr = address(p, id)
	local fields = read(p, id)
	if fields and isAside(fields, addr) then show(asTask(p, id, fields, true)) end
	return 1
end

local function showRunning(p, id, session)
	if session == NOBODY then return 0.1 end
	local addr = address(p, id)
	local fields = read(p, id)
	local held = redis.call('ZSCORE', HELD, addr)
	if not fields or redis.call('ZSCORE', BACK, addr) or held and tonumber(held) <= now or isAside(fields, addr) then return 1 end
	local t = asTask(p, id, fields, true)
	local renewed, lease = tenure(redis.call('HGET', STATE, 'S:' .. session) or nil)
	t.session = session
	if renewed then t.lapses = int(renewed + math.max(lease, tonumber(time(fields, 'v') or 0))) end
	show(t)
	return 1
end

local lists = {
	ready = listReady,
	running = function() return listLent(showRunning) end,
	unknown = function() return listLent(showAside) end,
	delayed = function() return listWaiting({DELAYED, REST}, int(now), math.huge, cursor, '', function(t) return not failed(t.state) end) end,
	retrying = function() return listWaiting({DELAYED, REST}, int(now), math.huge, cursor, '', function(t) return failed(t.state) end) end,
}
local more = lists[state]()
local answer = {int(now), more and next or '', math.ceil(looked)}
for i = 1, #shown do answer[3 + i] = shown[i] end -- unpack ends at 8,000
return answer
