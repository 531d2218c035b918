-- What the scripts for operators see of the entries of a queue. They change nothing, also where a group is gone.

-- The last entry of a stream that somebody has had.
local function lastLent(p)
	local groups = redis.pcall('XINFO', 'GROUPS', STREAM[p + 1])
	for _, group in ipairs(groups) do
		if field(group, 'name') == GROUP then return field(group, 'last-delivered-id') end
	end
	return '0-0'
end

-- Whether an id comes after another one. Its numbers may be larger than those that Lua knows.
local function later(a, b)
	local aMs, aSeq = string.match(a, '^(%d+)-(%d+)$')
	local bMs, bSeq = string.match(b, '^(%d+)-(%d+)$')
	if #aMs ~= #bMs then return #aMs > #bMs end
	if aMs ~= bMs then return before(bMs, aMs) end
	if #aSeq ~= #bSeq then return #aSeq > #bSeq end
	return before(bSeq, aSeq)
end

-- Who holds an entry; nil where nobody does.
local function holder(p, id)
	local pending = redis.pcall('XPENDING', STREAM[p + 1], GROUP, id, id, 1)
	return pending[1] and pending[1][2]
end

-- Visits the entries of a stream behind an id, until a visitor says that it is enough.
local function eachEntry(p, id, visit)
	local count = FIRST
	while true do
		local found, heaviest = redis.call('XRANGE', STREAM[p + 1], '(' .. id, '+', 'COUNT', count), 1
		for _, one in ipairs(found) do
			id, heaviest = one[1], math.max(heaviest, #(field(one[2], 'e') or ''))
			if visit(id, one[2]) then return true end
		end
		if #found < count then return false end
		count = atOnce(heaviest)
	end
end

-- The entries of a stream from one id to another, by their ids: not more than so many.
local function entriesOf(p, from, to, count)
	local entries = {}
	for _, one in ipairs(redis.call('XRANGE', STREAM[p + 1], from, to, 'COUNT', count)) do entries[one[1]] = one[2] end
	return entries
end

-- The first of those that stand in line again at a priority, behind a text; nil where there is none.
local function backBehind(p, text)
	local from = text == '' and '[' .. (9 - p) or '(' .. text
	return redis.call('ZRANGEBYLEX', BACK, from, '(' .. string.char(string.byte(9 - p) + 1), 'LIMIT', 0, 1)[1]
end

-- Whether anything is known beside the streams.
local lives = redis.call('EXISTS', LIFE) == 1

-- How an entry is told: its priority, its id, and what says that it has been lent since: f for one that nobody has had, else the
-- number of its last delivery, l for the first.
local function tellEntry(p, id, lent, number)
	return 'e' .. p .. '-' .. id .. '-' .. (lent and string.sub(number or 'l', 1, 20) or 'f')
end

-- An entry as a task; lent tells that somebody has had it.
local function asTask(p, id, fields, lent)
	local task = {p = p, id = id, place = tellEntry(p, id), envelope = field(fields, 'e') or '', state = field(fields, 's') or '',
		born = time(fields, 'b'), due = time(fields, 'd')}
	if lent then
		local addr = address(p, id)
		task.place = tellEntry(p, id, true)
		if not lives then return task end
		local life = redis.call('HMGET', LIFE, addr, addr .. ':n', addr .. ':i', addr .. ':d')
		task.place = tellEntry(p, id, true, life[2])
		task.state, task.number, task.due = life[1] or task.state, life[2], life[4] or task.due
		local _, count = string.gsub(life[3] or '', ' ', '')
		task.interruptions = count
	end
	return task
end

-- A member of DELAYED, REST or HELD as a task; nil where its entry is gone.
local function waitingTask(set, member, score)
	if set == DELAYED then
		local p, born, _, state, envelope = unpackDelayed(member)
		return {p = p, id = '-', place = 'd' .. tell(member, score), envelope = envelope, state = state, born = born ~= '' and born or nil, due = score}
	end
	local p, id = place(member)
	local fields = entry(p, id)
	return fields and asTask(p, id, fields, true)
end
