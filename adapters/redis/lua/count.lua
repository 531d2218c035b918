#!lua flags=allow-oom
-- Counts what lies in one queue.
--
-- KEYS: those of the queue (see keys.go). ARGV: offset of the clock.
--
-- It answers how many are ready, delayed, running and dead, whether the queue is paused, and pairs of
-- schema and how many of it are set aside.
local now = clock(tonumber(ARGV[1]))
local stored, held = 0, 0
for p = 0, 9 do
	stored = stored + redis.call('XLEN', STREAM[p + 1])
	local pending = redis.pcall('XPENDING', STREAM[p + 1], GROUP)
	if not pending.err then held = held + pending[1] end
end
local due = redis.call('ZCOUNT', HELD, '-inf', int(now))
local rested, resting = redis.call('ZCOUNT', REST, '-inf', int(now)), redis.call('ZCARD', REST)
local ripe, delayed = redis.call('ZCOUNT', DELAYED, '-inf', int(now)), redis.call('ZCARD', DELAYED)
local back, aside = redis.call('ZCARD', BACK), redis.call('ZCARD', ASIDE)
local answer = {
	stored - held + back + due + rested + ripe,
	delayed - ripe + resting - rested,
	held - back - aside - resting - due,
	redis.call('ZCARD', BURIALS),
	redis.call('HEXISTS', STATE, 'paused'),
}
for _, value in ipairs(redis.call('HGETALL', SCHEMAS)) do answer[#answer + 1] = value end
return answer
