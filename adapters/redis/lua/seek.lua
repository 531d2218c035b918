-- How the scripts for operators find members of sorted sets again. A member may be as large as an envelope, so it is told
-- by its score and its first bytes: no two have the same ones, unless somebody has made them by hand.

local TOLD = 48

-- Whether a text comes before another one byte by byte, as Redis orders members. Lua would ask the server's locale.
local function before(a, b)
	for i = 1, math.min(#a, #b) do
		local x, y = string.byte(a, i), string.byte(b, i)
		if x ~= y then return x < y end
	end
	return #a < #b
end

-- The member of a rank and its score; nil where there is none.
local function at(set, rank)
	local found = redis.call('ZRANGE', set, int(rank), int(rank), 'WITHSCORES')
	return found[1], found[2]
end

-- The rank of the first member with a score that begins with a text or what comes later; or, behind that, of the
-- first that begins with what comes later. Many may have one score, so it is searched for by halves.
local function seek(set, score, text, behind)
	local low = redis.call('ZCOUNT', set, '-inf', '(' .. score)
	local high = low + redis.call('ZCOUNT', set, score, score)
	while low < high do
		local middle = math.floor((low + high) / 2)
		local first = string.sub(at(set, middle), 1, TOLD)
		if before(first, text) or behind and first == text then low = middle + 1 else high = middle end
	end
	return low
end

-- How a member is told.
local function tell(member, score) return score .. ' ' .. string.sub(member, 1, TOLD) end

-- What tell has told: score and first bytes; nil where it is something else.
local function told(text)
	local score, first = string.match(text, '^(%S+) (.*)$')
	if score and tonumber(score) then return score, first end
end

-- The member that is told so, its score and its rank; nil where it is not there any more.
local function find(set, text)
	local score, first = told(text)
	if not score then return nil end
	local rank = seek(set, score, first)
	local member, score = at(set, rank)
	if member and tell(member, score) == text then return member, score, rank end
end

-- How many members or entries to read next, so that they are not much more than 256 kB, by the largest of the last ones.
local FIRST = 4
local function atOnce(heaviest) return math.max(1, math.min(100, math.floor(262144 / math.max(heaviest, 1)))) end
