#!lua flags=allow-oom
-- Keeps what is said on a stream, a command to workers or a reply to one, for a time.
--
-- KEYS: the stream. ARGV: what tests add to the clock, in ms; what is said; for how long it is kept, in ms.
--
-- Some of those whose time is over go with it. The stream itself goes when nobody has said anything for long: ids go by the
-- server's time, so who reads on behind an old one misses nothing.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[1]
local keep = tonumber(ARGV[3])
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 20)) do
	local fields = entry[2]
	if fields[1] ~= 'u' or (tonumber(fields[2]) or 0) <= now then
		redis.call('XDEL', KEYS[1], entry[1])
	end
end
redis.call('XADD', KEYS[1], '*', 'u', string.format('%.0f', now + keep), 's', ARGV[2])
if redis.call('PTTL', KEYS[1]) < keep + 60000 then
	redis.call('PEXPIRE', KEYS[1], keep + 60000)
end
return 0
