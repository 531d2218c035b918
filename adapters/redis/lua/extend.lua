#!lua flags=allow-oom
-- Renews the lease of a session on one queue.
--
-- KEYS: those of the queue (see keys.go).
-- ARGV: offset of the clock, session, lease in ms, whether it is leaving; then what it is believed to
-- hold of another epoch than the one that the last renewal told: "<priority> <id> <number> <1 if it has a life>".
--
-- It answers the epoch (the count of takeovers from the session, the era), the time, whether anything is revoked
-- on the queue, and of each that was asked about whether the session holds it.
local now, session = clock(tonumber(ARGV[1])), ARGV[2]
local mine = 'S:' .. session
local st = state(mine, 'T:' .. session, 'era', 'revoked', 'next', 'used')
if st[6] then
	by(renew(session, st[6], st[1], now, tonumber(ARGV[3]), ARGV[4] == '1'), tonumber(st[5] or nil))
end
local answer = {st[2] or '', st[3] or '', int(now), (tonumber(st[4] or nil) or 0) > now and 1 or 0}
for i = 5, #ARGV do
	local p, id, number, life = string.match(ARGV[i], '^(%d) (%S+) (%d+) (%d)$')
	p = tonumber(p)
	local held = 0 -- also what the session has settled itself: a notice may name that
	if owner(p, id) == session then
		local last = redis.call('HGET', LIFE, address(p, id) .. ':n')
		if life == '1' and last == number or life == '0' and not last and not outlived(p, number) then held = 1 end
	end
	answer[#answer + 1] = held
end
return answer
