#!lua flags=allow-oom
-- Ends deliveries of one queue whose work is done: those of one session and one epoch that had no life
-- beside their streams, and of which all have results or none. What is rarer is settle.lua's.
--
-- KEYS: the streams, then the state of the queue, then the hashes of the results.
-- ARGV: offset of the clock, session, the epoch (takeovers, era), channel of the results, the index of the state in KEYS;
--   for each stream its index in KEYS, how many entries, their ids; then the results, in the order of the
--   entries, by runs of one hash: its index in KEYS, how many, how long to keep them in ms, whether
--   one is final, then for each its id and what is stored.
--
-- It answers the places of those that are refused among all entries, or 0; or 'EPOCH' where it has done
-- nothing, because somebody may have taken something from the session.
local st = redis.call('HMGET', KEYS[tonumber(ARGV[6])], 'T:' .. ARGV[2], 'era')
if st[1] ~= ARGV[3] or st[2] ~= ARGV[4] then return 'EPOCH' end
local at, count, refused = 7, 0, {}
local isRefused = {}
for _ = 1, ARGV[6] - 1 do
	local stream, n = KEYS[tonumber(ARGV[at])], tonumber(ARGV[at + 1])
	local from, to = at + 2, at + 1 + n
	if redis.call('XACK', stream, GROUP, unpack(ARGV, from, to)) == n then
		redis.call('XDEL', stream, unpack(ARGV, from, to))
	else -- some were settled before
		for i = from, to do
			if redis.call('XDEL', stream, ARGV[i]) == 0 then
				refused[#refused + 1] = count + i - from
				isRefused[count + i - from] = true
			end
		end
	end
	count, at = count + n, to + 1
end
local ended, place = {}, 0
while ARGV[at] do
	local bucket, n, keep, final = KEYS[tonumber(ARGV[at])], tonumber(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3] == '1'
	local from, to = at + 4, at + 3 + 2 * n
	local ids, clash = {}, refused[1] ~= nil
	for i = from, to, 2 do ids[#ids + 1] = ARGV[i] end
	local standing = redis.call('HMGET', bucket, unpack(ids))
	for i = 1, n do
		if standing[i] then clash = true break end
	end
	if not clash then
		redis.call('HSET', bucket, unpack(ARGV, from, to))
		expire(bucket, keep)
	else -- with care, one after the other
		local now, records = clock(tonumber(ARGV[1])), {}
		for i = 1, n do
			if not isRefused[place + i - 1] then
				local till, number, last, record = string.match(ARGV[from + 2 * i - 1], '^(%d+) (%d+) (%d) ()')
				records[#records + 1] = {bucket, ids[i], number, last, math.max(till - now, 1), string.sub(ARGV[from + 2 * i - 1], record)}
			end
		end
		save(records, now)
	end
	if final then ended[#ended + 1] = bucket end
	at, place = to + 1, place + n
end
if ended[1] then redis.call('PUBLISH', ARGV[5], table.concat(ended, '\n')) end
if refused[1] then return refused end
return 0
