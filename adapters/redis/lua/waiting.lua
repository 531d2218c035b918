-- How the scripts for operators go through what waits for its time or has done so: an envelope in DELAYED, the address
-- of an entry in REST or HELD.

-- Whether a state (see delivery.go) tells of a failed attempt: it is an array whose first element says of how many.
local function failed(state) return #state > 1 and string.byte(state, 2) ~= 0 end

-- Goes on reading a set by rank: gives its next member with its score, nil where there is none.
local function nextOf(source)
	if source.place > #source.read then
		local heaviest = 1
		for i = 1, #source.read, 2 do heaviest = math.max(heaviest, #source.read[i]) end
		local count = source.read[1] and atOnce(heaviest) or FIRST
		source.read, source.place = redis.call('ZRANGE', source.set, int(source.rank), int(source.rank + count - 1), 'WITHSCORES'), 1
		source.rank = source.rank + count
	end
	return source.read[source.place], tonumber(source.read[source.place + 1])
end

-- Visits the members of sets with scores that are more than one bound and at most another one, the lowest first, until a visitor
-- says that it is enough: then it answers a cursor behind which to go on, "<index of the set> <score> <first bytes>".
local function byScore(sets, from, to, cursor, visit)
	local sources, index, text = {}, string.match(cursor, '^(%d) (.*)$')
	local score, first
	if index then score, first = told(text) end
	for i, set in ipairs(sets) do
		local rank = redis.call('ZCOUNT', set, '-inf', from)
		if score and i == tonumber(index) then
			rank = math.max(rank, seek(set, score, first, true))
		elseif score then
			rank = math.max(rank, redis.call('ZCOUNT', set, '-inf', (i > tonumber(index) and '(' or '') .. score))
		end
		sources[i] = {set = set, rank = rank, read = {}, place = 1}
	end
	while true do
		local index, least, lowest
		for i, source in ipairs(sources) do
			local member, score = nextOf(source)
			if member and score <= to and (not least or score < lowest) then index, least, lowest = i, source, score end
		end
		if not least then return nil end
		local member, score = least.read[least.place], least.read[least.place + 1]
		least.place = least.place + 2
		if visit(least.set, member, score) then return index .. ' ' .. tell(member, score) end
	end
end
