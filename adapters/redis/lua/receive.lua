#!lua flags=allow-oom
-- Lends due entries of one queue to a session.
--
-- KEYS: those of the queue (see keys.go), then the set of tasks that the receiver knows.
-- ARGV: 1 offset of the clock, 2 session, 3 its lease in ms, 4 whether it is leaving,
--   5 most entries, 6 most bytes (0: no bound), 7 age in ms after which priorities rise (0: never),
--   8 whether the receiver knows all tasks, 9 whether it has got nothing yet and will wait for something,
--   10 the longest wait in ms, 11 whether to look after the groups first, 12 how many entries it
--   has been given by a plain read and waits to be lent, 13 whether to look for what the session
--   holds and does not know of, and for nothing else, 14 how many tasks have a bound; then these as "<task> <most to be lent>", then
--   those that wait to be lent as "p id" (those of WAKE as "w id"), then the deliveries that the session knows of as
--   "<address> <number, or - if it has no life beside its stream>".
--
-- It answers {now, number, count of takeovers from the session, era, wait, flags, gone, when something is due, …} and for each
-- entry lent: where it is and what has become of it, its envelope, the state that a settlement left.
-- Or 'TASKS' where the set of tasks has to be stored first: then it has done nothing.
local last = tonumber(st[1] or nil)
if last and last >= number and last < 2^53 then number = last + 1 end

-- Adds an entry to those lent. Of what has a life beside its stream that is told too.
local function lend(p, id, fields, life)
	bytes = bytes + #(field(fields, 'e') or '')
	if left then
		local task = string.match(taskOf(fields), '^%S*')
		if left[task] then left[task] = left[task] - 1 end
	end
	local head = p .. ' ' .. id .. ' ' .. (time(fields, 'b') or '-') .. ' ' .. (life and life.due or time(fields, 'd') or '-')
	if life then head = head .. ' ' .. life.interruptions end
	lent[#lent + 1] = head
	lent[#lent + 1] = field(fields, 'e') or ''
	lent[#lent + 1] = life and life.state or field(fields, 's') or ''
end

local function fits(fields)
	return mostBytes == 0 or not lent[1] and waits or bytes + #(field(fields, 'e') or '') <= mostBytes
end

local function room() return most - #lent / 3 end

-- Lends an entry that somebody has had before: it was given back, or its session has lapsed, or
-- (in a recovery) it is the session's own.
local leavers = {}
local function lendAgain(p, id, fields, from)
	local addr = address(p, id)
	local life = redis.call('HMGET', LIFE, addr, addr .. ':n', addr .. ':i', addr .. ':d')
	local interruptions = life[3] or ''
	if from ~= NOBODY and from ~= session then
		if leavers[from] == nil then
			local _, _, leaving = tenure(redis.call('HGET', STATE, 'S:' .. from) or nil)
			leavers[from] = leaving or false
		end
		if not leavers[from] then
			-- The number of the delivery that was cut short, or its session where it was the first.
			interruptions = interruptions .. (life[2] or '@' .. from) .. ' '
			redis.call('HSET', LIFE, addr .. ':i', interruptions)
		end
	end
	if from ~= NOBODY then redis.call('HINCRBY', STATE, 'T:' .. from, 1) end
	if from ~= session then
		grouped('XCLAIM', STREAM[p + 1], GROUP, session, 0, id, 'JUSTID')
		redis.call('ZREM', BACK, addr)
	end
	redis.call('HSET', LIFE, addr .. ':n', int(number))
	local _, count = string.gsub(interruptions, ' ', '')
	lend(p, id, fields, {state = life[1] or nil, due = life[4] or nil, interruptions = count})
end

-- Lends what stands in line again at a priority, in order.
local function lendBack(p)
	local from, to = '[' .. (9 - p), '(' .. string.char(string.byte(9 - p) + 1)
	while room() > 0 and not full do
		local list = redis.call('ZRANGEBYLEX', BACK, from, to, 'LIMIT', 0, math.min(room(), 200))
		if not list[1] then return end
		for _, addr in ipairs(list) do
			local priority, id = place(addr)
			local fields = entry(priority, id)
			local holder = fields and owner(p, id)
			if not holder then
				redis.call('ZREM', BACK, addr)
				redis.pcall('XACK', STREAM[p + 1], GROUP, id or '')
				redis.call('HDEL', LIFE, addr, addr .. ':n', addr .. ':i', addr .. ':d')
				gone = gone + 1
			elseif not knows(taskOf(fields)) then
				setAside(addr, taskOf(fields))
			elseif not fits(fields) then
				full = true
				return
			else
				lendAgain(p, id, fields, holder)
			end
		end
	end
end

-- Gives back what the session has read and cannot have.
local function unread(p, id)
	grouped('XCLAIM', STREAM[p + 1], GROUP, NOBODY, 0, id, 'JUSTID')
	giveBack(address(p, id))
	back = true
end

-- Takes what the session has read from a stream: lends it, sets it aside or gives it back.
local function take(p, id, fields)
	local task = taskOf(fields)
	if not knows(task) then
		grouped('XCLAIM', STREAM[p + 1], GROUP, NOBODY, 0, id, 'JUSTID')
		setAside(address(p, id), task)
	elseif room() < 1 or full or not fits(fields) then
		full, noticed = true, true
		unread(p, id)
	else
		lend(p, id, fields)
	end
end

-- Sets aside what the session has just read and cannot run, all of it at once.
local function setAllAside(p, ids, tasks)
	if not ids[1] then return end
	local claim, members, counts = {'XCLAIM', STREAM[p + 1], GROUP, NOBODY, 0}, {}, {}
	for i, id in ipairs(ids) do
		claim[5 + i] = id
		members[2 * i - 1], members[2 * i] = 0, tasks[i] .. '\n' .. address(p, id)
		counts[tasks[i]] = (counts[tasks[i]] or 0) + 1
	end
	claim[#claim + 1] = 'JUSTID'
	grouped(unpack(claim))
	redis.call('ZADD', ASIDE, unpack(members))
	for task, n in pairs(counts) do noteAside(task, n) end
end

-- Lends what nobody has had yet at a priority. Where much has to be set aside it stops: the rest is there at once
-- for who waits.
local function lendFresh(p)
	local turns, moved, heaviest = 0, 0, 1
	while room() > 0 and not full and turns < 50 and moved < 500 do
		local count = math.min(room(), 500)
		-- What is read beyond the bytes must go back, so that is as much as fits, by what has been read so far.
		if mostBytes > 0 then count = math.min(count, turns == 0 and 32 or math.max(1, math.floor((mostBytes - bytes) / heaviest))) end
		local reply = grouped('XREADGROUP', 'GROUP', GROUP, session, 'COUNT', count, 'STREAMS', STREAM[p + 1], '>')
		if not reply then return end
		local entries, ids, tasks = reply[1][2], {}, {}
		for _, one in ipairs(entries) do
			heaviest = math.max(heaviest, #(field(one[2], 'e') or ''))
			local task = taskOf(one[2])
			if knows(task) then
				take(p, one[1], one[2])
			else
				ids[#ids + 1], tasks[#tasks + 1] = one[1], task
			end
		end
		setAllAside(p, ids, tasks)
		turns, moved = turns + 1, moved + #ids
		if #entries < count then return end
	end
end

-- Deals with what a blocking read has given the session before anybody lent it.
local tokens, adopted = {}, {}
local function adopt()
	for i = FIRST, FIRST + read - 1 do
		local from, id = string.match(ARGV[i], '^(%S) (%S+)$')
		if from == 'w' then
			local found = redis.call('XRANGE', WAKE, id, id)
			redis.call('XACK', WAKE, GROUP, id)
			redis.call('XDEL', WAKE, id)
			if found[1] then tokens[#tokens + 1] = {kind = field(found[1][2], 'k') or 'work', seen = field(found[1][2], 'x') or ''} end
			local missed = redis.call('HGET', STATE, 'missed')
			if missed then
				redis.call('HDEL', STATE, 'missed')
				tokens[#tokens + 1] = {kind = missed, seen = ''}
			end
		else
			local p = tonumber(from)
			if owner(p, id) == session and not redis.call('HGET', LIFE, address(p, id) .. ':n') then
				local fields = entry(p, id)
				if not fields then
					redis.call('XACK', STREAM[p + 1], GROUP, id)
					gone = gone + 1
				elseif used == '0' and not back and not aside then
					adopted[address(p, id)] = true
					take(p, id, fields)
				else
					unread(p, id) -- it has its turn with the others, and its place among them
				end
			end
		end
	end
end

-- Lends the session again what it holds and does not know of.
local function recover()
	local aware = {}
	for i = FIRST + read, #ARGV do aware[ARGV[i]] = true end
	holding(session, used, function(p, id)
		if room() < 1 then return true end
		local addr = address(p, id)
		if not adopted[addr] and not aware[addr .. ' ' .. (redis.call('HGET', LIFE, addr .. ':n') or '-')] then
			local fields = entry(p, id)
			if fields and knows(taskOf(fields)) then
				if not fits(fields) then
					full = true
					return true
				end
				lendAgain(p, id, fields, session)
			end
		end
		return false
	end)
end

-- When the first of a priority that this receiver may get became due; nil where there is none.
-- It is taken out of the stream to look at it, and given back to its place.
local function firstDue(p)
	local from, to = '[' .. (9 - p), '(' .. string.char(string.byte(9 - p) + 1)
	for _ = 1, 500 do
		local list = redis.call('ZRANGEBYLEX', BACK, from, to, 'LIMIT', 0, 1)
		local addr = list[1]
		if not addr then
			local reply = grouped('XREADGROUP', 'GROUP', GROUP, session, 'COUNT', 1, 'STREAMS', STREAM[p + 1], '>')
			if not reply then return nil end
			unread(p, reply[1][2][1][1])
		else
			local priority, id = place(addr)
			local fields = entry(priority, id)
			if not fields then
				redis.call('ZREM', BACK, addr)
				redis.pcall('XACK', STREAM[p + 1], GROUP, id or '')
				gone = gone + 1
			elseif not knows(taskOf(fields)) then
				setAside(addr, taskOf(fields))
			else
				return tonumber(redis.call('HGET', LIFE, addr .. ':d') or time(fields, 'd') or time(fields, 'b') or string.match(id, '^%d+'))
			end
		end
	end
end

-- The priorities in use, in the order in which they are served now.
local function order()
	local list = {}
	for digit in string.gmatch(used, '%d') do
		local p = tonumber(digit)
		local rank = p
		if age > 0 then
			local due = firstDue(p)
			if due then rank = p + math.floor(math.max(now - due, 0) / age) end
		end
		list[#list + 1] = {p = p, rank = rank}
	end
	table.sort(list, function(a, b) return a.rank > b.rank or a.rank == b.rank and a.p > b.p end)
	return list
end

if paused then
	for i = FIRST, FIRST + read - 1 do
		local from, id = string.match(ARGV[i], '^(%S) (%S+)$')
		if from == 'w' then
			redis.call('XACK', WAKE, GROUP, id)
			redis.call('XDEL', WAKE, id)
		elseif owner(tonumber(from), id) == session and not redis.call('HGET', LIFE, address(tonumber(from), id) .. ':n') then
			unread(tonumber(from), id)
		end
	end
else
	if not next or now >= next then ripen() end
	if read > 0 then adopt() end
	if aside then recall() end
	if recovers then recover() end
	for _, priority in ipairs(recovers and {} or order()) do
		if room() < 1 or full then break end
		if back then lendBack(priority.p) end
		if room() > 0 and not full then lendFresh(priority.p) end
	end
	if back and redis.call('ZCARD', BACK) == 0 then
		back = false
		redis.call('HSET', STATE, 'back', 0)
	end
end
local got = lent[1] ~= nil
if got then redis.call('HSET', STATE, 'number', int(number)) end

-- Tell others that wait what they would not hear of by themselves.
local told, timer = false, false
for _, token in ipairs(tokens) do
	if token.kind == 'timer' then
		timer = true
	else
		if got then
			wake(token.kind, token.seen)
			told = true
		elseif not string.find(' ' .. token.seen, ' ' .. session .. ' ', 1, true) then
			wake(token.kind, token.seen .. session .. ' ')
			told = true
		elseif token.kind == 'work' then
			-- All who wait have seen it. Who had looked before, and waits only now, has not: it goes round once more.
			redis.call('HSET', STATE, 'again', 1)
			next = by(now + 1000, next)
		end
	end
end
if not told and (noticed or got and back) then
	wake('work', got and '' or session .. ' ')
end

-- One of those who wait watches the time; the others look a second later, in case it has died. Who does not wait after all
-- keeps its watch (see vigil.go), but for what it was told of an earlier time: that it passes on at once, since the others
-- sleep by what they knew before.
local wait = longest
local watcher, till = string.match(st[8] or '', '^(%S+) (%d+)$')
local watches = watcher == session
till = tonumber(till)
if got or not waits then
	if timer and next then
		redis.call('HDEL', STATE, 'watch')
		wake('timer')
		watches = false
	end
elseif next and not paused then
	if not watcher or watches or till > next or till < now - 1000 then
		wait = math.max(1, math.min(longest, next - now))
		redis.call('HSET', STATE, 'watch', session .. ' ' .. int(now + wait))
		watches = true
	else
		wait = math.max(1, math.min(longest, next - now + 1000))
	end
end
local flags = (paused and 1 or 0) + ((tonumber(st[11] or nil) or 0) > now and 2 or 0) + ((used ~= '0' or back or aside) and 4 or 0) + (full and (got or not waits) and 8 or 0) + (opened and 16 or 0) + (watches and 32 or 0)
if opened or recovers or remade then st = look() end -- the fence has moved
local answer = {int(now), int(number), st[10] or '', st[7] or '', wait, flags, gone, int(next or now + longest)}
for i = 1, #lent do answer[8 + i] = lent[i] end -- unpack ends at 8,000
return answer
