#!lua flags=allow-oom
-- Lets a session hold places of tasks whose concurrency is limited.
--
-- KEYS: the tasks' places: hashes of "<how many> <when that lapses, in ms>" by session, kept for as long as one has not lapsed.
-- ARGV: offset of the clock, session, its lease in ms; then for each key its task's limit and how many places the session wants.
--
-- It answers for each key how many it has, and how many are left.
local now, session, lease = clock(tonumber(ARGV[1])), ARGV[2], tonumber(ARGV[3])
local answer = {}

for i, key in ipairs(KEYS) do
	local limit, wanted = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
	local mine, others, last = 0, 0, now
	local places = redis.call('HGETALL', key)
	for j = 1, #places, 2 do
		local n, lapses = string.match(places[j + 1], '^(%d+) (%d+)$')
		n, lapses = tonumber(n), tonumber(lapses)
		if not n or lapses <= now then
			redis.call('HDEL', key, places[j])
		elseif places[j] == session then
			mine = n
		else
			others = others + n
			last = math.max(last, lapses)
		end
	end
	local held = math.min(wanted, math.max(mine, limit - others))
	if held > 0 then
		redis.call('HSET', key, session, int(held) .. ' ' .. int(now + lease))
		last = math.max(last, now + lease)
	else
		redis.call('HDEL', key, session)
	end
	if last > now then redis.call('PEXPIRE', key, int(last - now + 1000)) end
	answer[#answer + 1] = held
	answer[#answer + 1] = math.max(limit - others - held, 0)
end
return answer
