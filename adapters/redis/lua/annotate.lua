#!lua flags=allow-oom
-- Writes the record of a result anew, if it still is what it was. How long its hash lives stays as it is.
--
-- KEYS: the hash. ARGV: the id, the record as it was, the new one.
--
-- It answers 1, or 0 where it has changed or is gone.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
