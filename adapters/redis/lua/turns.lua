#!lua flags=allow-oom
-- Takes turns in buckets.
--
-- KEYS: the buckets.
-- ARGV: offset of the clock in ms, the longest wait in us; then for each turn "<index of its bucket> <interval> <tolerance> <1 if it
--   was taken before>", durations in us.
--
-- It answers for each turn how long it is until then, in us. The reckoning is that of limit.State.
local now, longest = micros(ARGV[1]), tonumber(ARGV[2])
local buckets, changed, waits = {}, {}, {}
for i, key in ipairs(KEYS) do buckets[i] = bucketOf(key) end

for i = 3, #ARGV do
	local at, interval, tolerance, reserved = string.match(ARGV[i], '^(%d+) (%d+) (%d+) (%d)$')
	at = tonumber(at)
	local bucket, wait = buckets[at], 0
	local penalized = bucket.penalty > now
	if penalized or reserved == '0' then
		local due = math.max(bucket.next, now)
		if penalized then due = math.max(due, bucket.penalty + tolerance) end
		wait = math.max(due - tolerance - now, 0)
		if wait <= longest then
			bucket.next = due + interval
			changed[at] = true
		end
	end
	waits[#waits + 1] = math.min(wait, longest)
end
for i, key in ipairs(KEYS) do
	if changed[i] then keepBucket(key, buckets[i], now) end
end
return waits
