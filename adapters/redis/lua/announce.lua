#!lua flags=allow-oom
-- Keeps what a worker says of itself.
--
-- KEYS: those of workers: what they said, and until when it is kept.
-- ARGV: offset of the clock, id, how long it is kept in ms, what it said.
--
-- Who is new takes some of those along whose time is over, so that they do not pile up. The keys go with the last one.
local now = clock(tonumber(ARGV[1]))
local new = redis.call('HSET', KEYS[1], ARGV[2], int(now) .. ' ' .. ARGV[4]) == 1
redis.call('ZADD', KEYS[2], int(now + ARGV[3]), ARGV[2])
for i = 1, 2 do
	if new then redis.call('PEXPIRE', KEYS[i], ARGV[3], 'NX') end
	redis.call('PEXPIRE', KEYS[i], ARGV[3], 'GT')
end
if new then
	local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', int(now), 'LIMIT', 0, 20)
	for i = 1, #gone do
		redis.call('ZREM', KEYS[2], gone[i])
		redis.call('HDEL', KEYS[1], gone[i])
	end
end
return 0
