#!lua flags=no-writes
-- Measures one queue, a part at a time, and changes nothing.
--
-- KEYS: those of the queue (see keys.go). ARGV: offset of the clock, the cursor, '' for the first part.
--
-- It answers for how many ms the ready task has been due that has been so for longest, of those at the head of each line;
-- at how many that wait for their time this part has looked, how many of these wait after a failed attempt; and the
-- next cursor, '' where there is none.
local now, cursor = clock(tonumber(ARGV[1])), ARGV[2]
local first = now

local function seen(p, id, fields, lent)
	if not fields then return end
	local t = asTask(p, id, fields, lent)
	first = math.min(first, tonumber(t.due or t.born or string.match(id, '^%d+')))
end

if cursor == '' then
	for p = 0, 9 do
		local priority, id = place(backBehind(p, '') or '')
		seen(priority, id, entry(priority, id), true)
		eachEntry(p, lastLent(p), function(id, fields)
			seen(p, id, fields)
			return true
		end)
	end
	for _, set in ipairs({HELD, REST, DELAYED}) do
		local member, score = at(set, 0)
		if member and tonumber(score) <= now then
			local t = waitingTask(set, member, score)
			if t then first = math.min(first, tonumber(t.due) or now) end
		end
	end
end

local looked, retrying, bytes = 0, 0, 0
local next = byScore({DELAYED, REST}, int(now), math.huge, cursor, function(set, member, score)
	local t = waitingTask(set, member, score)
	if t and failed(t.state) then retrying = retrying + 1 end
	looked, bytes = looked + 1, bytes + #member
	return looked >= 1000 or bytes >= 1048576
end)
return {int(math.max(now - first, 0)), looked, retrying, next or ''}
