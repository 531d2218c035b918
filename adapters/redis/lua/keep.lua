#!lua flags=allow-oom
-- Keeps what a worker needs before it can receive.
--
-- KEYS: where. ARGV: for how long in s, the set's new member or the text; then 1 for a set.
--
-- Two plain commands would do, if Redis did not refuse them when its memory is full: then it is
-- the workers who make room.
if ARGV[3] == '1' then
	redis.call('SADD', KEYS[1], ARGV[2])
	redis.call('EXPIRE', KEYS[1], ARGV[1])
else
	redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[1])
end
return 0
