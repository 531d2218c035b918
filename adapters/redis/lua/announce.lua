#!lua flags=allow-oom
-- Keeps what a worker says of itself.
--
-- KEYS: those of workers: what they said, and until when it is kept.
-- ARGV: the time, as the worker knows it of the server; id, what it said, until when it is kept.
--
-- A worker calls it for ever, so it is two commands. Who is new has some forgotten whose time is over, so that they do not
-- pile up.
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
if redis.call('HSET', KEYS[1], ARGV[2], ARGV[1] .. ' ' .. ARGV[3]) == 1 then
	local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, 20)
	for i = 1, #gone do
		redis.call('ZREM', KEYS[2], gone[i])
		redis.call('HDEL', KEYS[1], gone[i])
	end
end
return 0
