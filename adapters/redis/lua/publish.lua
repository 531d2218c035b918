#!lua
-- Publishes envelopes on one queue, in order.
--
-- KEYS: state, wake, delayed and revoked of the queue; then the streams, the dedupe keys and the unique keys that the heads name.
-- ARGV: offset of the clock; then for each envelope its head, its id, and the task and schema with the envelope. A head is
--   "<priority> <index of its stream> <visibility or -> <delay> <index of its dedupe key or 0> <window> <index of its unique key or 0>",
--   times in ms. The id is needed for such keys only; for a unique one a space and what hold.lua wants to know follow it.
--
-- It answers three texts for each that was not merely stored, or 0: its index, an id, and d where it is a duplicate of that, c where that
-- holds its unique key, r where it replaces that.
-- It is not flagged allow-oom: Redis refuses the whole of it where its memory is full.
local offset = tonumber(ARGV[1])
local now = offset ~= 0 and clock(offset) or nil
local used, next, looked, earlier = '0', nil, false, false
local others, born = {}, {}
local last, p, stream, visibility, delay, key, window, unique -- of the head before
if now then born = {'b', int(now)} end

local function tell(i, id, what)
	others[#others + 1] = (i - 2) / 3
	others[#others + 1] = id
	others[#others + 1] = what
end

local function store(envelope, place)
	if delay > 0 then
		redis.call('ZADD', DELAYED, int(now + delay), pack(p, place, int(now), visibility == '-' and '' or visibility, '', envelope))
		if not next or now + delay < next then
			next, earlier = by(now + delay, next), true
		end
	elseif visibility ~= '-' then
		used = append(p, used, 'e', envelope, 'v', visibility, unpack(born))
	else
		used = append(p, used, 'e', envelope, unpack(born))
	end
end

for i = 2, #ARGV, 3 do
	local head, id, envelope = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	if head ~= last then
		last = head
		p, stream, visibility, delay, key, window, unique = string.match(head, '^(%d) (%d+) (%S+) (%d+) (%d+) (%d+) (%d+)$')
		p, delay = tonumber(p), tonumber(delay)
		STREAM[p + 1] = KEYS[tonumber(stream)]
	end
	if (delay > 0 or key ~= '0' or unique ~= '0') and not now then now = clock(offset) end
	if (delay > 0 or p > 0 or unique ~= '0') and not looked then
		local st = state('used', 'next')
		used, next, looked = st[1] or used, tonumber(st[2] or nil), true
	end
	local stands, about, place, replaced
	if unique ~= '0' then id, about = string.match(id, '^(%S+) (.*)$') end
	if key ~= '0' then
		local name = KEYS[tonumber(key)]
		local first = redis.call('GET', name)
		if first then
			local till, standing = string.match(first, '^(%d+) (.*)$')
			if till and tonumber(till) > now then stands = standing end
		end
	end
	if stands then tell(i, stands, 'd') end
	if not stands and delay > 0 then place = redis.call('HINCRBY', STATE, 'unique', 1) end
	if not stands and unique ~= '0' then
		local other
		other, replaced = hold(KEYS[tonumber(unique)], id, about, now, int(now + delay), place or '-')
		if other then
			stands = other.id
			tell(i, stands, 'c')
		end
	end
	if stands then
		-- it is not stored
	elseif unique == '0' then
		store(envelope, place)
	else
		local stored, err = pcall(store, envelope, place)
		if not stored then -- a key never outlives its task
			redis.call('GETDEL', KEYS[tonumber(unique)])
			error(err)
		end
	end
	if replaced then
		tell(i, replaced.id, 'r')
		if replace(replaced, id, now, 7 * 24 * 3600 * 1000) then
			next, earlier = by(now, next), true
		end
	end
	if key ~= '0' and not stands then -- last: what could not be stored is no duplicate of itself
		redis.call('SET', KEYS[tonumber(key)], int(now + window) .. ' ' .. id, 'PX', window)
	end
end
if earlier then wake('timer') end
if others[1] then return others end
return 0
