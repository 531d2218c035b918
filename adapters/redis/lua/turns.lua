#!lua flags=allow-oom
-- Takes turns in buckets.
--
-- KEYS: the buckets.
-- ARGV: offset of the clock in ms, the longest wait in us; then for turns that are alike "<how many> <index of their bucket> <interval>
--   <tolerance> <1 if they were taken before>", durations in us.
--
-- It answers for each turn how long it is until then, in us, or 0 where none has to wait. The reckoning is that of limit.State.
local now, longest = micros(ARGV[1]), tonumber(ARGV[2])
local buckets, changed, waits, waiting = {}, {}, {}, false
for i, key in ipairs(KEYS) do buckets[i] = bucketOf(key) end

for i = 3, #ARGV do
	local count, at, interval, tolerance, reserved = string.match(ARGV[i], '^(%d+) (%d+) (%d+) (%d+) (%d)$')
	at = tonumber(at)
	local bucket = buckets[at]
	local penalized = bucket.penalty > now
	for _ = 1, count do
		local wait = 0
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
		waiting = waiting or wait > 0
	end
end
for i, key in ipairs(KEYS) do
	if changed[i] then keepBucket(key, buckets[i], now) end
end
return waiting and waits or 0
