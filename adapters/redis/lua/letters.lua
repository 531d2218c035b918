#!lua flags=no-writes
-- Shows a page of the dead letters of one queue, the newest first, and changes nothing.
--
-- KEYS: those of the queue (see keys.go).
-- ARGV: most letters; the name and the id of those that are wanted, '' for all; from when and to before when, in ms, '' for no
--   bound; the cursor, '' for the first page.
--
-- It answers the next cursor, '' where there is none, at how many letters it has looked, and for each four texts: its place, when it was set aside, what is
-- known about it, its envelope. It looks at 1,000 letters or 1 MiB of envelopes, whichever comes first.
local limit, task, id = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local first = ARGV[4] ~= '' and redis.call('ZCOUNT', BURIALS, '-inf', '(' .. ARGV[4]) or 0
local rank = ARGV[5] ~= '' and redis.call('ZCOUNT', BURIALS, '-inf', '(' .. ARGV[5]) or redis.call('ZCARD', BURIALS)
local score, from = told(ARGV[6])
if score then rank = math.min(rank, seek(BURIALS, score, from)) end

local function wanted(about)
	return (task == '' or string.find(about, task, 1, true)) and (id == '' or string.find(about, id, 1, true))
end

local answer, looked, bytes = {'', 0}, 0, 0
while rank > first do
	rank = rank - 1
	local key, time = at(BURIALS, rank)
	local letter = redis.call('HMGET', DEAD, key, key .. ' e')
	local about, envelope = letter[1], letter[2] or ''
	looked, bytes = looked + 1, bytes + #envelope
	if about and wanted(about) then
		for _, text in ipairs({tell(key, time), time, about, envelope}) do answer[#answer + 1] = text end
	end
	if #answer >= 4 * limit + 2 or looked >= 1000 or bytes >= 1048576 then
		if rank > first then answer[1] = tell(key, time) end
		break
	end
end
answer[2] = looked
return answer
