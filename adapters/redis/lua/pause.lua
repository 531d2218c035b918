#!lua flags=allow-oom
-- Pauses a queue, or resumes it.
--
-- KEYS: those of the queue (see keys.go). ARGV: 1 to pause, 0 to resume.
if ARGV[1] == '1' then
	redis.call('HSET', STATE, 'paused', 1)
elseif redis.call('HDEL', STATE, 'paused') == 1 then
	wake('work')
end
return 0
