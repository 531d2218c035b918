#!lua flags=allow-oom
-- Looks for the record of a result. Where it is not final whoever saves into its hash announces that from now on: a field
-- without a name says that somebody waits.
--
-- KEYS: the hash. ARGV: offset of the clock, the id, how long a hash lives that has nothing else, in ms.
--
-- It answers the time and the record, or '' where there is none.
local now, record = clock(tonumber(ARGV[1])), redis.call('HGET', KEYS[1], ARGV[2]) or ''
if not string.find(record, '^%d+ %d+ 1 ') then
	redis.call('HSETNX', KEYS[1], '', '')
	expire(KEYS[1], ARGV[3])
end
return {int(now), record}
