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

-- Notes that an entry has been looked at, or what is a part of the work, and reports whether that is enough. Then next tells where.
local function passed(cost)
	looked = looked + cost
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
		if passed(1) then
			next = p .. 'b' .. from
			return true
		end
	end
end

-- What nobody has had yet at a priority.
local function listFresh(p, from)
	local last = lastLent(p)
	if from == '' or later(last, from) then from = last end
	return eachEntry(p, from, function(id, fields)
		local t = asTask(p, id, fields)
		bytes = bytes + #t.envelope
		show(t)
		next = p .. 'f' .. id
		return passed(1)
	end)
end

-- What waits for its time, or has done so until now and will be put in line by the next receiver.
local function listWaiting(sets, from, to, cursor, prefix, fits)
	next = byScore(sets, from, to, cursor, function(set, member, score)
		local t = waitingTask(set, member, score)
		if t then bytes = bytes + #t.envelope end
		if t and fits(t) then show(t) end
		return passed(1)
	end)
	next = next and prefix .. next
	return next ~= nil
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

-- What somebody has had and has not settled: it runs, stands in line again, rests or is set aside. Entries that nobody holds
-- are not read where they are not wanted.
local function listLent(ofNobody, showOne)
	local first, from = string.match(cursor, '^(%d) (.*)$')
	for p = tonumber(first or 9), 0, -1 do
		local after, count, pending = p == tonumber(first) and '(' .. from or '-', FIRST, nil
		repeat
			local most = count
			pending = redis.pcall('XPENDING', STREAM[p + 1], GROUP, after, '+', most)
			local entries, heaviest
			for _, one in ipairs(pending) do
				local id, session = one[1], one[2]
				local read = ofNobody or session ~= NOBODY
				if read then
					entries = entries or entriesOf(p, id, pending[#pending][1], most)
					local fields = entries[id] or entry(p, id)
					if fields then
						local size = #(field(fields, 'e') or '')
						bytes, heaviest = bytes + size, math.max(heaviest or 1, size)
						showOne(p, id, session, fields)
					end
				end
				after = '(' .. id
				if passed(read and 1 or 0.2) then
					next = p .. ' ' .. id
					return true
				end
			end
			count = atOnce(heaviest or 1)
		until #pending < most
	end
	return false
end

-- Whether an entry is in one of the sets, which are few or empty as a rule.
local some = {}
local function isIn(set, member)
	if some[set] == nil then some[set] = redis.call('EXISTS', set) == 1 end
	return some[set] and redis.call('ZSCORE', set, member)
end

local function isAside(fields, addr) return isIn(ASIDE, taskOf(fields) .. '\n' .. addr) end

local function showAside(p, id, _, fields)
	if isAside(fields, address(p, id)) then show(asTask(p, id, fields, true)) end
end

-- What a session says of itself, read once.
local tenures = {}
local function tenureOf(session)
	if not tenures[session] then tenures[session] = {tenure(redis.call('HGET', STATE, 'S:' .. session) or nil)} end
	return tenures[session][1], tenures[session][2]
end

local function showRunning(p, id, session, fields)
	local addr = address(p, id)
	local held = isIn(HELD, addr)
	if isIn(BACK, addr) or held and tonumber(held) <= now or isAside(fields, addr) then return end
	local t = asTask(p, id, fields, true)
	local renewed, lease = tenureOf(session)
	t.session = session
	if renewed then t.lapses = int(renewed + math.max(lease, tonumber(time(fields, 'v') or 0))) end
	show(t)
end

local lists = {
	ready = listReady,
	running = function() return listLent(false, showRunning) end,
	unknown = function() return redis.call('EXISTS', ASIDE) == 1 and listLent(true, showAside) end,
	delayed = function() return listWaiting({DELAYED, REST}, int(now), math.huge, cursor, '', function(t) return not failed(t.state) end) end,
	retrying = function() return listWaiting({DELAYED, REST}, int(now), math.huge, cursor, '', function(t) return failed(t.state) end) end,
}
local more = lists[state]()
local answer = {int(now), more and next or '', math.ceil(looked)}
for i = 1, #shown do answer[3 + i] = shown[i] end -- unpack ends at 8,000
return answer
