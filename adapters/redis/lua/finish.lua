#!lua flags=allow-oom
-- Ends deliveries of one queue whose work is done: those of one session and one epoch that had no life
-- beside their streams, and of which all have results or none. What is rarer is settle.lua's.
--
-- KEYS: the streams, then the state of the queue, then the hashes of the results.
-- ARGV: offset of the clock, session, the epoch (takeovers, era), channel of the results, the index of the state in KEYS,
--   the time as the caller knows it;
--   for each stream its index in KEYS, how many entries, their ids; then the results, in the order of the
--   entries, by runs of one hash: its index in KEYS, how many, how long to keep them in ms, whether
--   one is final, then for each its id and what is stored.
--
-- It answers the places of those that are refused among all entries, or 0; or 'EPOCH' where it has done
-- nothing, because somebody may have taken something from the session.
local STATE = KEYS[tonumber(ARGV[6])]
local st = redis.call('HMGET', STATE, 'T:' .. ARGV[2], 'era', 'kept')
if st[1] ~= ARGV[3] or st[2] ~= ARGV[4] then return 'EPOCH' end
-- What stands in the hashes is read before anything is written: where that fails, nothing has been done.
local at, runs = 8, {}
for _ = 1, ARGV[6] - 1 do at = at + 2 + ARGV[at + 1] end
while ARGV[at] do
	local run = {bucket = KEYS[tonumber(ARGV[at])], n = tonumber(ARGV[at + 1]), keep = tonumber(ARGV[at + 2]), final = ARGV[at + 3] == '1', ids = {}}
	run.from, run.to = at + 4, at + 3 + 2 * run.n
	for i = run.from, run.to, 2 do run.ids[#run.ids + 1] = ARGV[i] end
	run.ids[run.n + 1] = ''
	local standing = redis.call('HMGET', run.bucket, unpack(run.ids))
	run.awaited = standing[run.n + 1]
	for i = 1, run.n do
		if standing[i] then run.clash = true break end
	end
	runs[#runs + 1], at = run, run.to + 1
end

local count, refused, isRefused = 0, {}, {}
at = 8
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

-- Until when the newest hash lives is remembered, and a little more is asked for than its records need, a minute as a rule: so not
-- every batch has to say it.
local newest, lives = string.match(st[3] or '', '^(%S+) (%d+)$')
local now = tonumber(ARGV[7])
lives = tonumber(lives or 0)
local function outlive(run)
	if run.bucket == newest and lives >= now + run.keep then return end
	local keep = run.keep + math.min(run.keep / 16, 60000)
	expire(run.bucket, int(keep))
	if run.bucket >= (newest or '') or lives < now then
		newest, lives = run.bucket, now + keep
		redis.call('HSET', STATE, 'kept', newest .. ' ' .. int(lives))
	end
end

local ended, place = {}, 0
for _, run in ipairs(runs) do
	if not run.clash and not refused[1] then
		redis.call('HSET', run.bucket, unpack(ARGV, run.from, run.to))
		outlive(run)
	else -- with care, one after the other
		local now, records = clock(tonumber(ARGV[1])), {}
		for i = 1, run.n do
			if not isRefused[place + i - 1] then
				local value = ARGV[run.from + 2 * i - 1]
				local till, number, last, record = string.match(value, '^(%d+) (%d+) (%d) ()')
				records[#records + 1] = {run.bucket, run.ids[i], number, last, math.max(till - now, 1), string.sub(value, record)}
			end
		end
		save(records, now)
	end
	if run.final and run.awaited then ended[#ended + 1] = run.bucket end
	place = place + run.n
end
if ended[1] then redis.call('PUBLISH', ARGV[5], table.concat(ended, '\n')) end
if refused[1] then return refused end
return 0
