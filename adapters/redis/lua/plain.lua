#!lua flags=allow-oom
-- Lets a session have what it reads by a plain command that is sent along, and what a blocking read has given it: entries
-- of priority 0 that nobody has had yet.
--
-- KEYS: the state of the queue.
-- ARGV: offset of the clock; session; whether it may have been given something, and if so the epoch (takeovers, era) from
--   before that read.
--
-- It answers {the time, number, takeovers, era, whether anything is revoked on the queue, when something is due}; or 0, and it
-- has done nothing, where not all is so simple: something else is ready or due, the queue is paused, the
-- session is not open, or somebody may have taken from it what it was given. That is receive.lua's.
local now, session, given = clock(tonumber(ARGV[1])), ARGV[2], ARGV[3] == '1'
local st = state('number', 'paused', 'next', 'back', 'aside', 'used', 'S:' .. session, 'T:' .. session, 'era', 'revoked')
local next = tonumber(st[3] or nil)
if st[6] ~= '0' or st[2] or st[4] == '1' or st[5] == '1' or not next or now >= next then return 0 end
local renewed, lease, lapsed = string.match(st[7] or '', '^(%d+) (%d+) %d (%d)$')
if lapsed ~= '0' or now >= renewed + lease then return 0 end
if given and (st[8] ~= ARGV[4] or st[9] ~= ARGV[5]) then return 0 end

local number, last = now * 2048, tonumber(st[1] or nil)
if last and last >= number and last < 2^53 then number = last + 1 end
redis.call('HSET', STATE, 'number', int(number))
return {int(now), int(number), st[8], st[9], (tonumber(st[10] or nil) or 0) > now and 1 or 0, int(next)}
