#!lua flags=allow-oom
-- Settles deliveries of one queue that one session holds and that have one epoch.
--
-- KEYS: those of the queue (see keys.go), then the hashes of the results.
-- ARGV: 1 offset of the clock, 2 session, 3 and 4 the epoch: the count of takeovers from the session and
--   the era, as they were when the deliveries were lent; 5 most dead letters, 6 channel of the results;
--   7 the index of the last of these hashes, behind which the unique keys are;
--   then for each delivery its head, two texts and the number of results that follow, 0 or 1; a result is
--   the index of its hash, its id, delivery number, whether it is final, how long to keep it, the record.
--   A head is "<verdict> <priority> <id> <delivery number> <1 if it has a life beside the stream> <delay>". For a unique task
--   " <index of its key> <what becomes of that> <id of the task>" may follow: g it is let go, c it is let go and the task, if it was replaced, not revoked any more, q the task does not run any more, f it
--   is done and keeps the key; for that, the hold follows.
--   The texts are: for a retry (r), snooze (z) or release (g) the state that stays, and when the
--   envelope was published; for a dead letter (d) what is known about it, and ''; for an ack (a) two ''.
--
-- It answers the indices of those that are refused, or 0.
local offset, session = tonumber(ARGV[1]), ARGV[2]
local now = clock(offset)
local st = state('T:' .. session, 'era', 'used', 'next')
local certain = st[1] == ARGV[3] and st[2] == ARGV[4]
local used, next = st[3] or '0', tonumber(st[4] or nil)
local refused, records, waiting, earlier, work = {}, {}, {}, false, false

local function forget(addr) redis.call('HDEL', LIFE, addr, addr .. ':n', addr .. ':i', addr .. ':d') end

-- The run came to its end after all: it has not taken its process down.
local function refuse(one)
	refused[#refused + 1] = one.index
	one.refused = true
	local addr = address(one.p, one.id)
	local interruptions = redis.call('HGET', LIFE, addr .. ':i')
	if not interruptions then return end
	local token = one.life and one.number or '@' .. session
	local from, to = string.find(' ' .. interruptions, ' ' .. token .. ' ', 1, true)
	if from then
		redis.call('HSET', LIFE, addr .. ':i', string.sub(interruptions, 1, from - 1) .. string.sub(interruptions, to))
	end
end

-- Ends those whose work is done, all at once while the epoch says that they are the session's.
local function flush()
	for p, ones in pairs(waiting) do
		local ids = {}
		for i, one in ipairs(ones) do ids[i] = one.id end
		if redis.call('XACK', STREAM[p + 1], GROUP, unpack(ids)) == #ids then
			redis.call('XDEL', STREAM[p + 1], unpack(ids))
		else -- some were settled before
			for _, one in ipairs(ones) do
				if redis.call('XDEL', STREAM[p + 1], one.id) == 0 then refuse(one) end
			end
		end
		for _, one in ipairs(ones) do
			if one.life and not one.refused then forget(address(p, one.id)) end
		end
	end
	waiting = {}
end

-- Whether the session holds this very delivery. It is taken out of the line if it had lapsed.
local function holds(one)
	if owner(one.p, one.id) ~= session then return false end
	local addr = address(one.p, one.id)
	local number = redis.call('HGET', LIFE, addr .. ':n')
	if one.life and number ~= one.number or not one.life and (number or outlived(one.p, one.number)) then return false end
	if not certain then unline(one.p, one.id, addr) end
	return true
end

local function remove(one)
	redis.call('XACK', STREAM[one.p + 1], GROUP, one.id)
	redis.call('XDEL', STREAM[one.p + 1], one.id)
	forget(address(one.p, one.id))
end

-- Queues the envelope anew, now or later.
local function again(one)
	local fields = entry(one.p, one.id)
	if not fields then return remove(one) end
	local envelope, visibility = field(fields, 'e') or '', time(fields, 'v')
	local addr = address(one.p, one.id)
	remove(one)
	if one.delay > 0 then
		local due = now + one.delay
		redis.call('ZADD', DELAYED, int(due), pack(one.p, addr, one.second, visibility or '', one.first, envelope))
		one.due, one.place = int(due), addr
		if not next or due < next then
			next, earlier = by(due, next), true
		end
	else
		local more = {'e', envelope, 'b', one.second, 'd', int(now)}
		if visibility then more[#more + 1] = 'v' more[#more + 1] = visibility end
		if one.first ~= '' then more[#more + 1] = 's' more[#more + 1] = one.first end
		used = append(one.p, used, unpack(more))
	end
end

-- Gives the envelope back: it keeps its place, and nobody holds it.
local function release(one)
	local addr = address(one.p, one.id)
	grouped('XCLAIM', STREAM[one.p + 1], GROUP, NOBODY, 0, one.id, 'JUSTID')
	redis.call('HINCRBY', STATE, 'T:' .. session, 1)
	certain = false
	redis.call('HSET', LIFE, addr, one.first)
	if one.delay > 0 then
		local due = now + one.delay
		redis.call('HSET', LIFE, addr .. ':d', int(due))
		redis.call('ZADD', REST, int(due), addr)
		if not next or due < next then
			next, earlier = by(due, next), true
		end
	else
		giveBack(addr)
		work = true
	end
end

local function bury(one)
	local key, fields = one.number .. ' ' .. address(one.p, one.id), entry(one.p, one.id)
	redis.call('HSET', DEAD, key, one.first, key .. ' e', fields and field(fields, 'e') or '')
	redis.call('ZADD', BURIALS, int(now), key)
	local extra = redis.call('ZCARD', BURIALS) - tonumber(ARGV[5])
	if extra > 0 then
		for _, old in ipairs(redis.call('ZPOPMIN', BURIALS, extra)) do redis.call('HDEL', DEAD, old, old .. ' e') end
	end
	remove(one)
end

-- Does what the end of a delivery means for its unique key.
local function keep(one)
	local name = KEYS[tonumber(one.key)]
	if one.keyed == 'c' then forgetReplaced(one.task) end
	if one.keyed == 'g' or one.keyed == 'c' then return letGo(name, one.task, now) end
	if one.keyed == 'f' then return rewriteHold(name, one.task, one.hold) end
	changeHold(name, one.task, function(h)
		h.state = 'q'
		h.due, h.place = one.due or '0', one.place or '-'
	end)
end

local act = {r = again, z = again, g = release, d = bury, a = remove}
-- Where a result cannot be written nothing is settled: a hash of another type fails here.
for i = 24, tonumber(ARGV[7]) do redis.call('HEXISTS', KEYS[i], '') end

local at, index, unique = 8, 0, {}
while ARGV[at] do
	local verdict, p, id, number, life, delay, key = string.match(ARGV[at], '^(%l) (%d) (%S+) (%d+) (%d) (%d+)(.*)$')
	local one = {index = index, verdict = verdict, p = tonumber(p), id = id, number = number, life = life == '1',
		delay = tonumber(delay), first = ARGV[at + 1], second = ARGV[at + 2]}
	if key ~= '' then
		one.key, one.keyed, one.task, one.hold = string.match(key, '^ (%d+) (%l) (%S+) ?(.*)$')
		unique[#unique + 1] = one
	end
	if ARGV[at + 3] == '1' then
		records[#records + 1] = {KEYS[tonumber(ARGV[at + 4])], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8], ARGV[at + 9], one}
		at = at + 6
	end
	at, index = at + 4, index + 1
	if certain and verdict == 'a' then
		local ones = waiting[one.p]
		if not ones then
			ones = {}
			waiting[one.p] = ones
		end
		ones[#ones + 1] = one
		if #ones == 500 then flush() end
	else
		flush()
		if holds(one) then act[verdict](one) else refuse(one) end
	end
end
flush()
for _, one in ipairs(unique) do
	if not one.refused then keep(one) end
end
if earlier then wake('timer') end
if work then wake('work') end
if records[1] then
	local kept = {}
	for _, r in ipairs(records) do
		if not r[7].refused then kept[#kept + 1] = r end
	end
	save(kept, now, ARGV[6])
end
if refused[1] then return refused end
return 0
