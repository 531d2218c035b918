#!lua
-- Publishes envelopes on one queue, in order.
--
-- KEYS: state, wake and delayed of the queue; then the streams and the dedupe keys that the heads name.
-- ARGV: offset of the clock; then for each envelope its head, its id, and the task and schema with the envelope. A head is
--   "<priority> <index of its stream> <visibility or -> <delay> <index of its dedupe key or 0> <window>", times
--   in ms. The id is needed for a dedupe key only.
--
-- It answers pairs of index and the id that stands for those that were duplicates, or 0.
-- It is not flagged allow-oom: Redis refuses the whole of it where its memory is full.
local offset = tonumber(ARGV[1])
local now = offset ~= 0 and clock(offset) or nil
local used, next, looked, earlier = '0', nil, false, false
local duplicates, born = {}, {}
local last, p, stream, visibility, delay, key, window -- of the head before
if now then born = {'b', int(now)} end

for i = 2, #ARGV, 3 do
	local head, id, envelope = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	if head ~= last then
		last = head
		p, stream, visibility, delay, key, window = string.match(head, '^(%d) (%d+) (%S+) (%d+) (%d+) (%d+)$')
		p, delay = tonumber(p), tonumber(delay)
		STREAM[p + 1] = KEYS[tonumber(stream)]
	end
	if (delay > 0 or key ~= '0') and not now then now = clock(offset) end
	if (delay > 0 or p > 0) and not looked then
		local st = state('used', 'next')
		used, next, looked = st[1] or used, tonumber(st[2] or nil), true
	end
	local stands
	if key ~= '0' then
		local name = KEYS[tonumber(key)]
		local first = redis.call('GET', name)
		if first then
			local till, standing = string.match(first, '^(%d+) (.*)$')
			if till and tonumber(till) > now then stands = standing end
		end
	end
	if stands then
		duplicates[#duplicates + 1] = (i - 2) / 3
		duplicates[#duplicates + 1] = stands
	elseif delay > 0 then
		local unique = redis.call('HINCRBY', STATE, 'unique', 1)
		redis.call('ZADD', DELAYED, int(now + delay), pack(p, unique, int(now), visibility == '-' and '' or visibility, '', envelope))
		if not next or now + delay < next then
			next, earlier = by(now + delay, next), true
		end
	elseif visibility ~= '-' then
		used = append(p, used, 'e', envelope, 'v', visibility, unpack(born))
	else
		used = append(p, used, 'e', envelope, unpack(born))
	end
	if key ~= '0' and not stands then -- last: what could not be stored is no duplicate of itself
		redis.call('SET', KEYS[tonumber(key)], int(now + window) .. ' ' .. id, 'PX', window)
	end
end
if earlier then wake('timer') end
if duplicates[1] then return duplicates end
return 0
