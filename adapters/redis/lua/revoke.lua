#!lua flags=allow-oom
-- Keeps revocations of one queue.
--
-- KEYS: those of the queue (see keys.go).
-- ARGV: offset of the clock; then for each "i:<id>" for a task or "f:<id>" for a family, how long it is kept in
-- ms, and the reason.
--
-- The later end stands, and the newer reason. Those that are over go, some at each call.
local now = clock(tonumber(ARGV[1]))
local st = state('revoked', 'sweep')
local latest = tonumber(st[1] or nil) or 0
for i = 2, #ARGV, 3 do
	local till, before = now + ARGV[i + 1], redis.call('HGET', REVOKED, ARGV[i])
	if before then till = math.max(till, tonumber(string.match(before, '^%d+') or 0)) end
	redis.call('HSET', REVOKED, ARGV[i], int(till) .. ' ' .. ARGV[i + 2])
	latest = math.max(latest, till)
end
local page = redis.call('HSCAN', REVOKED, st[2] or 0, 'COUNT', 20 + #ARGV)
for i = 1, #page[2], 2 do
	if tonumber(string.match(page[2][i + 1], '^%d+') or 0) <= now then redis.call('HDEL', REVOKED, page[2][i]) end
end
redis.call('HSET', STATE, 'revoked', int(latest), 'sweep', page[1])
redis.call('PEXPIRE', REVOKED, int(math.max(latest - now, 1)))
return 0
