-- What the scripts share that know where the entries of a queue are.
--
-- An entry is an envelope in a stream, and stays there under one id until it is settled or
-- delayed. Its address says where: the priority counted from the highest, the id's time, the
-- length of its sequence as a letter, the sequence ("91700000000000a7" is priority 0, id
-- 1700000000000-7). So the order of addresses as texts is the order of the line.

local NOBODY = '~' -- owns what was given back; no session has this id

local function address(p, id)
	local dash = string.find(id, '-', 1, true)
	return (9 - p) .. string.sub(id, 1, dash - 1) .. string.char(96 + #id - dash) .. string.sub(id, dash + 1)
end

-- The priority and the id of an address; nil where it is none.
local function place(addr)
	local p, ms, seq = string.match(addr, '^(%d)(%d+)%l(%d+)$')
	if p then return 9 - p, ms .. '-' .. seq end
end

-- A field of an entry, as Redis gives entries: {name, value, name, value, …}.
local function field(fields, name)
	for i = 1, #fields, 2 do
		if fields[i] == name then return fields[i + 1] end
	end
end

-- The task and schema of an entry ("demo.hello 00c0ffee00c0ffee", "-" for no schema), the first line of what was
-- published; '' where that is no envelope.
local function taskOf(fields)
	return string.match(field(fields, 'e') or '', '^([!-~]+ [-0-9a-f]+)\n') or ''
end

-- A field that tells a time in ms; nil where it does not.
local function time(fields, name)
	local text = field(fields, name)
	return text and #text < 16 and string.match(text, '^%d+$')
end

-- Counts what is set aside under a schema, and tells how much is.
local function countAside(schema, more)
	local count = redis.pcall('HINCRBY', SCHEMAS, schema, more)
	if type(count) == 'table' then -- what stood there was no count
		count = math.max(more, 1)
		redis.call('HSET', SCHEMAS, schema, count)
	elseif count <= 0 then
		redis.call('HDEL', SCHEMAS, schema)
	end
	return count
end

local remade = false -- whether a group was

-- Makes the groups and what the state must say. Where a group was gone, nobody holds any more
-- what its stream has: the stream is read anew, and the places that were noted mean nothing.
local function ensure()
	local used, anew = '0', false
	for p = 0, 9 do
		local made = redis.pcall('XGROUP', 'CREATE', STREAM[p + 1], GROUP, '0', 'MKSTREAM')
		if not made.err then
			anew = true
			redis.call('HSET', STATE, 'made:' .. p, redis.call('HGET', STATE, 'number') or 0)
			local from, to = '[' .. (9 - p), '(' .. string.char(string.byte(9 - p) + 1)
			redis.call('ZREMRANGEBYLEX', BACK, from, to)
			for _, set in ipairs({HELD, REST}) do
				for _, addr in ipairs(redis.call('ZRANGE', set, 0, -1)) do
					if place(addr) == p then redis.call('ZREM', set, addr) end
				end
			end
			for _, member in ipairs(redis.call('ZRANGE', ASIDE, 0, -1)) do
				local schema, addr = string.match(member, '^(.*)\n(.*)$')
				if schema and place(addr) == p then
					redis.call('ZREM', ASIDE, member)
					countAside(schema, -1)
				end
			end
			for _, name in ipairs(redis.call('HKEYS', LIFE)) do
				if string.sub(name, 1, 1) == tostring(9 - p) then redis.call('HDEL', LIFE, name) end
			end
		elseif not string.find(made.err, 'BUSYGROUP', 1, true) then
			error(made.err)
		end
		if p > 0 and redis.call('XLEN', STREAM[p + 1]) > 0 then used = p .. used end
	end
	redis.pcall('XGROUP', 'CREATE', WAKE, GROUP, '0', 'MKSTREAM')
	redis.call('HSET', STATE, 'used', used, 'back', 1, 'aside', 1, 'next', 0)
	if anew then
		remade = true
		redis.call('HINCRBY', STATE, 'era', 1)
	end
end

-- Whether a delivery without a life beside its stream is from before the group was made anew: whoever has the entry
-- now, and be it the same session, has read it since.
local function outlived(p, number)
	local made = redis.call('HGET', STATE, 'made:' .. p)
	return made and tonumber(number) <= tonumber(made)
end

-- Calls a command about a group, and once more where somebody had deleted that.
local function grouped(...)
	local reply = redis.pcall(...)
	if type(reply) == 'table' and reply.err and string.find(reply.err, 'NOGROUP', 1, true) then
		ensure()
		reply = redis.pcall(...)
	end
	if type(reply) == 'table' and reply.err then error(reply.err) end
	return reply
end

-- Who holds an entry; nil where nobody does.
local function owner(p, id)
	local pending = grouped('XPENDING', STREAM[p + 1], GROUP, id, id, 1)
	return pending[1] and pending[1][2]
end

-- An entry's fields; nil where it is gone, or the place is none.
local function entry(p, id)
	local found = p and redis.pcall('XRANGE', STREAM[p + 1], id, id)
	return found and found[1] and found[1][2]
end

local function giveBack(addr)
	redis.call('ZADD', BACK, 0, addr)
	redis.call('HSET', STATE, 'back', 1)
end

-- What pack has made one text of. Another text is the envelope itself: whoever gets it finds that it is none.
local function unpackDelayed(text)
	local p, born, visibility, state, at = string.match(text, '^(%d) %S+ (%d+) (%d*) (%d+) ()')
	if not p or at + state > #text + 1 then return 0, '', '', '', text end
	local middle = at + state
	return tonumber(p), born, visibility, string.sub(text, at, middle - 1), string.sub(text, middle)
end

-- Goes through what a session holds, highest priority first, until a visitor says that it is enough.
local function holding(session, used, visit)
	for p = 9, 0, -1 do
		if string.find(used, p, 1, true) then
			local from = '-'
			repeat
				local pending = grouped('XPENDING', STREAM[p + 1], GROUP, from, '+', 200, session)
				for _, one in ipairs(pending) do
					if visit(p, one[1]) then return end
					from = '(' .. one[1]
				end
			until #pending < 200
		end
	end
end

-- Takes an entry out of those set aside, if it is among them.
local function unset(addr, schema)
	if redis.call('ZREM', ASIDE, schema .. '\n' .. addr) == 1 then countAside(schema, -1) end
end

-- Takes an entry out of the lines in which it stands while the session that lapsed still holds it.
local function unline(p, id, addr)
	redis.call('ZREM', BACK, addr)
	redis.call('ZREM', HELD, addr)
	if redis.call('EXISTS', ASIDE) == 1 then
		local fields = entry(p, id)
		if fields then unset(addr, taskOf(fields)) end
	end
end

-- Gives a session that had lapsed what nobody has taken from it.
local function reclaim(session, used)
	holding(session, used, function(p, id)
		unline(p, id, address(p, id))
		return false
	end)
end

-- What a session says of itself: when it was renewed, its lease, whether it is leaving, and whether it
-- has lapsed: 0 no, 1 yes, 2 and all that it held is back in line or will be, 3 and what it was given afterwards, too.
local function tenure(text)
	if not text then return nil end
	local renewed, lease, leaving, lapsed = string.match(text, '^(%d+) (%d+) (%d) (%d)$')
	return tonumber(renewed), tonumber(lease), leaving == '1', tonumber(lapsed)
end

local function setTenure(session, renewed, lease, leaving, lapsed)
	redis.call('HSET', STATE, 'S:' .. session, int(renewed) .. ' ' .. int(lease) .. ' ' .. (leaving and '1' or '0') .. ' ' .. lapsed)
end

-- A number that the queue has never had.
local function unique()
	local t = redis.call('TIME')
	return int(t[1] * 1000000 + t[2])
end

-- Begins a session's lease anew, and gives the time at which it lapses.
local function renew(session, used, before, now, lease, leaving)
	local renewed, _, _, lapsed = tenure(before)
	if renewed and lapsed > 0 then reclaim(session, used) end
	-- The takeovers count from a number that was never there, so that an epoch from before the session was
	-- let go fits none after it.
	if not renewed then redis.call('HSETNX', STATE, 'T:' .. session, unique()) end
	setTenure(session, now, lease, leaving, 0)
	redis.call('ZADD', LAPSES, int(now + lease), session)
	return now + lease
end
