#!lua flags=allow-oom
-- Lets nobody have a turn in a bucket for a time.
--
-- KEYS: the bucket. ARGV: offset of the clock in ms, for how long in us.
local now = micros(ARGV[1])
local bucket = bucketOf(KEYS[1])
bucket.penalty = math.max(bucket.penalty, now + tonumber(ARGV[2]))
keepBucket(KEYS[1], bucket, now)
return 0
