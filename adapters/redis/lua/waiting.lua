-- How the scripts for operators go through what waits for its time or has done so: an envelope in DELAYED, the address
-- of an entry in REST or HELD.

-- Whether a state (see delivery.go) tells of a failed attempt: it is an array whose first element says of how many.
local function failed(state) return #state > 1 and string.byte(state, 2) ~= 0 end

-- Visits the members of sets with scores that are more than one bound and at most another one, the lowest first, until a visitor
-- says that it is enough. Each visit is told a cursor behind which to go on: "<index of the set> <score> <first bytes>".
local function byScore(sets, from, to, cursor, visit)
	local heads, index, text = {}, string.match(cursor, '^(%d) (.*)$')
	local score, first
	if index then score, first = told(text) end
	local function load(i, rank)
		local member, score = at(sets[i], rank)
		heads[i] = member and tonumber(score) <= to and {rank = rank, member = member, score = score} or nil
	end
	for i, set in ipairs(sets) do
		local rank = redis.call('ZCOUNT', set, '-inf', from)
		if score and i == tonumber(index) then
			rank = math.max(rank, seek(set, score, first, true))
		elseif score then
			rank = math.max(rank, redis.call('ZCOUNT', set, '-inf', (i > tonumber(index) and '(' or '') .. score))
		end
		load(i, rank)
	end
	while true do
		local least
		for i = 1, #sets do
			if heads[i] and (not least or tonumber(heads[i].score) < tonumber(heads[least].score)) then least = i end
		end
		if not least then return false end
		local head = heads[least]
		if visit(sets[least], head.member, head.score, least .. ' ' .. tell(head.member, head.score)) then return true end
		load(least, head.rank + 1)
	end
end
