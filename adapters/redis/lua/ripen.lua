-- What time brings, for receive.lua: sessions lapse, entries become due, and those that were set aside are known again.

-- Whether a session holds nothing at all.
local function empty(session)
	local held = false
	holding(session, used, function()
		held = true
		return true
	end)
	return not held
end

-- Puts what a lapsed session holds back in line, at most so much: at once, or when the task's own
-- visibility is over. It stays the session's until somebody takes it.
local function abandon(session, room)
	local renewed, lease, leaving, lapsed = tenure(redis.call('HGET', STATE, 'S:' .. session) or nil)
	if not renewed then
		redis.call('ZREM', LAPSES, session)
		return 0
	end
	if now < renewed + lease then
		redis.call('ZADD', LAPSES, int(renewed + lease), session)
		return 0
	end
	if lapsed == 0 then
		lapsed = 1
		setTenure(session, renewed, lease, leaving, lapsed)
		redis.call('HINCRBY', STATE, 'T:' .. session, 1)
	end
	local moved, more = 0, false
	if lapsed < 3 then
		holding(session, used, function(p, id)
			local addr = address(p, id)
			if redis.call('ZSCORE', BACK, addr) or redis.call('ZSCORE', HELD, addr) then return false end
			if moved >= room then
				more = true
				return true
			end
			local fields = entry(p, id)
			if not fields then
				redis.call('XACK', STREAM[p + 1], GROUP, id)
				gone = gone + 1
				return false
			end
			if redis.call('ZSCORE', ASIDE, taskOf(fields) .. '\n' .. addr) then return false end
			moved = moved + 1
			local from = renewed + math.max(lease, tonumber(time(fields, 'v') or 0))
			if from > now then
				redis.call('ZADD', HELD, int(from), addr)
			else
				redis.call('ZADD', BACK, 0, addr)
				back = true
			end
			return false
		end)
		if not more then
			lapsed = lapsed + 1
			setTenure(session, renewed, lease, leaving, lapsed)
		end
	end
	if more then
		redis.call('ZADD', LAPSES, int(now), session)
	elseif lapsed == 3 and empty(session) then
		redis.call('ZREM', LAPSES, session)
		redis.call('HDEL', STATE, 'S:' .. session, 'T:' .. session)
		for p = 0, 9 do redis.pcall('XGROUP', 'DELCONSUMER', STREAM[p + 1], GROUP, session) end
		redis.pcall('XGROUP', 'DELCONSUMER', WAKE, GROUP, session)
	else
		redis.call('ZADD', LAPSES, int(now + 60000), session) -- to see what a read has given it that was under way, and whether it can be let go
	end
	return moved
end

-- Puts entries in line that have become due, at most so many of each kind.
local function ripenEntries()
	for _, set in ipairs({HELD, REST}) do
		for _, addr in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', int(now), 'LIMIT', 0, 500)) do
			redis.call('ZREM', set, addr)
			if place(addr) then
				redis.call('ZADD', BACK, 0, addr)
				back = true
			end
		end
	end
	local due = redis.call('ZRANGEBYSCORE', DELAYED, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, 500)
	for i = 1, #due, 2 do
		local p, born, visibility, state, envelope = unpackDelayed(due[i])
		local fields = {'e', envelope, 'b', born, 'd', due[i + 1]}
		if visibility ~= '' then fields[#fields + 1] = 'v' fields[#fields + 1] = visibility end
		if state ~= '' then fields[#fields + 1] = 's' fields[#fields + 1] = state end
		used = append(p, used, unpack(fields))
	end
	if due[1] then redis.call('ZREMRANGEBYRANK', DELAYED, 0, #due / 2 - 1) end
end

-- Does what has become due, at most so much of each kind, and finds out what is next.
local function ripen()
	local room = 200
	for _, other in ipairs(redis.call('ZRANGEBYSCORE', LAPSES, '-inf', int(now), 'LIMIT', 0, 16)) do
		if room > 0 and other ~= session then room = room - abandon(other, room) end
	end
	local timed = redis.call('EXISTS', HELD, REST, DELAYED) > 0 -- sessions are all that a quiet queue has
	if timed then ripenEntries() end
	next = nil
	for _, set in ipairs(timed and {LAPSES, HELD, REST, DELAYED} or {LAPSES}) do
		local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
		if first[2] and (not next or tonumber(first[2]) < next) then next = tonumber(first[2]) end
	end
	if next then
		redis.call('HSET', STATE, 'next', int(next))
	else
		redis.call('HDEL', STATE, 'next')
	end
	if back then redis.call('HSET', STATE, 'back', 1) end
	if redis.call('HDEL', STATE, 'again') == 1 then wake('last', session .. ' ') end
end

-- Puts the first of those back in line that were set aside under a schema, as many as the receiver may get.
local function recallFrom(schema, from, to)
	local count = math.min(most, leftOf(schema) or most)
	local members = redis.call('ZRANGEBYLEX', ASIDE, '[' .. schema .. '\n' .. from, '(' .. schema .. to, 'LIMIT', 0, count)
	for _, member in ipairs(members) do
		redis.call('ZREM', ASIDE, member)
		local addr = string.sub(member, #schema + 2)
		if place(addr) then redis.call('ZADD', BACK, 0, addr) end
	end
	if not members[1] then return end
	back = true
	redis.call('HSET', STATE, 'back', 1)
	countAside(schema, -#members)
end

-- Puts those back in line that were set aside and that the receiver knows. Where priorities may rise,
-- those of each are looked at.
local function recall()
	local schemas = redis.call('HKEYS', SCHEMAS)
	if not schemas[1] then
		aside = false
		redis.call('HSET', STATE, 'aside', 0)
	end
	for _, schema in ipairs(schemas) do
		if knows(schema) and most > 0 then
			if age == 0 then
				recallFrom(schema, '', '\11')
			else
				for digit in string.gmatch(used, '%d') do
					recallFrom(schema, 9 - digit, '\n' .. string.char(string.byte(9 - digit) + 1))
				end
			end
		end
	end
end
