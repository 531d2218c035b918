#!lua flags=allow-oom
-- Ends a session's watch over the time of a queue, if it has it: one of those who wait takes over.
--
-- KEYS: state and wake of the queue. ARGV: session.
local st = state('watch', 'next')
if st[1] and string.match(st[1], '^%S+') == ARGV[1] then
	redis.call('HDEL', STATE, 'watch')
	if st[2] then wake('timer') end
end
return 0
