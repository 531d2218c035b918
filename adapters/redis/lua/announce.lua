#!lua flags=allow-oom
-- Keeps what a worker says of itself.
--
-- KEYS: those of workers: what they said, and until when it is kept.
-- ARGV: offset of the clock, id, how long it is kept in ms, what it said.
--
-- Some of those whose time is over go at each call.
local now = clock(tonumber(ARGV[1]))
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', int(now), 'LIMIT', 0, 20)
for i = 1, #gone do
	redis.call('ZREM', KEYS[2], gone[i])
	redis.call('HDEL', KEYS[1], gone[i])
end
redis.call('HSET', KEYS[1], ARGV[2], int(now) .. ' ' .. ARGV[4])
redis.call('ZADD', KEYS[2], int(now + ARGV[3]), ARGV[2])
-- The keys go with the last of them.
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], int(last[2] - now)) end
return 0
