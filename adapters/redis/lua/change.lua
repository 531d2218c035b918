#!lua flags=allow-oom
-- Acts on tasks of one queue that wait, as list.lua has shown them.
--
-- KEYS: those of the queue (see keys.go), then the unique keys.
-- ARGV: offset of the clock; whether to delete them, else they become due now; then for each its place; whether it was ready (r),
--   waited for its time (w) or was set aside (a); and "<index of its unique key or 0> <its id>".
--
-- It answers the indices of those that are not there any more or not so, or 0.
local now, deletes = clock(tonumber(ARGV[1])), ARGV[2] == '1'
local gone, hastened = {}, false

-- How an entry waits; nil where it is gone or on loan.
local function waitsAs(p, id, addr)
	local fields = entry(p, id)
	if not fields then return nil end
	local session = holder(p, id)
	if not session or redis.call('ZSCORE', BACK, addr) then return 'r', session, fields end
	local held, rest = redis.call('ZSCORE', HELD, addr), redis.call('ZSCORE', REST, addr)
	if held then return tonumber(held) <= now and 'r' or nil, session, fields end
	if rest then return tonumber(rest) <= now and 'r' or 'w', session, fields end
	if redis.call('ZSCORE', ASIDE, taskOf(fields) .. '\n' .. addr) then return 'a', session, fields end
end

-- Deletes an entry. A session that has lapsed may still hold it: it is taken from that.
local function remove(p, id, addr, session, fields)
	if session and session ~= NOBODY then redis.call('HINCRBY', STATE, 'T:' .. session, 1) end
	redis.pcall('XACK', STREAM[p + 1], GROUP, id)
	redis.call('XDEL', STREAM[p + 1], id)
	for _, set in ipairs({BACK, HELD, REST}) do redis.call('ZREM', set, addr) end
	unset(addr, taskOf(fields))
	redis.call('HDEL', LIFE, addr, addr .. ':n', addr .. ':i', addr .. ':d')
end

local function changeEntry(p, id, where, was)
	local addr = address(p, id)
	local as, session, fields = waitsAs(p, id, addr)
	if as ~= was or tellEntry(p, id, session, redis.call('HGET', LIFE, addr .. ':n') or nil) ~= where then return false end
	if deletes then
		remove(p, id, addr, session, fields)
	else
		redis.call('ZADD', REST, int(now), addr)
		redis.call('HSET', LIFE, addr .. ':d', int(now))
	end
	return true
end

local function changeDelayed(told, was)
	local member, score, rank = find(DELAYED, told)
	if not member or (tonumber(score) <= now and 'r' or 'w') ~= was then return false end
	if deletes then
		redis.call('ZREMRANGEBYRANK', DELAYED, int(rank), int(rank))
	else
		redis.call('ZADD', DELAYED, int(now), member)
	end
	return true
end

for i = 3, #ARGV, 3 do
	local where, was = ARGV[i], ARGV[i + 1]
	local p, id = string.match(where, '^e(%d)-(%d+-%d+)-')
	local changed
	if p then changed = changeEntry(tonumber(p), id, where, was) else changed = changeDelayed(string.sub(where, 2), was) end
	local key, holder = string.match(ARGV[i + 2], '^(%d+) (.*)$')
	if not changed then
		gone[#gone + 1] = (i - 3) / 3
	elseif not deletes then
		hastened = true
	elseif key ~= '0' then
		letGo(KEYS[tonumber(key)], holder, now)
		forgetReplaced(holder)
	end
end
if hastened then
	local next = tonumber(redis.call('HGET', STATE, 'next') or nil)
	if not next or next > now then
		by(now, next)
		wake('timer')
	end
end
if gone[1] then return gone end
return 0
