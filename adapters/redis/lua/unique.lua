-- What scripts share that keep unique keys. Each is a text of its own that names who holds it:
--
--   <till> <state> <1 if it may be replaced> <expires> <due> <place> <id> <ids above it …>
--
-- Times are in ms, 0 for never. The state is q (queued), r (running) or f (it has succeeded, and the key is held for a time).
-- Due and place tell where among those that wait for their time it is, 0 and - where it is not or nobody knows.

local function readHold(text)
	local till, state, replace, expires, due, place, id, above = string.match(text, '^(%d+) (%l) ([01]) (%d+) (%d+) (%S+) (%S+)(.*)$')
	if not till then return nil end -- somebody has written what is no hold
	return {till = tonumber(till), state = state, replace = replace, expires = tonumber(expires), due = due, place = place, id = id, above = above}
end

local function writeHold(h)
	return int(h.till) .. ' ' .. h.state .. ' ' .. h.replace .. ' ' .. int(h.expires) .. ' ' .. h.due .. ' ' .. h.place .. ' ' .. h.id .. h.above
end

-- Lets a key go, if that id holds it.
local function letGo(name, id, now)
	local text = redis.call('GETDEL', name)
	local h = text and readHold(text)
	if not h or h.id == id then return end
	if h.till == 0 then
		redis.call('SET', name, text)
	elseif h.till > now then
		redis.call('SET', name, text, 'PX', int(h.till - now))
	end
end

-- Writes what a hold is now, if that id still has the key: one command, and another one only where it has not.
local function rewriteHold(name, id, hold)
	local text = redis.call('SET', name, hold, 'XX', 'KEEPTTL', 'GET')
	if not text then return end
	local h = readHold(text)
	if not h or h.id ~= id then redis.call('SET', name, text, 'KEEPTTL') end
end

-- Changes what a key tells of its holder, if that id holds it.
local function changeHold(name, id, change)
	local text = redis.call('GET', name)
	local h = text and readHold(text)
	if not h or h.id ~= id then return end
	change(h)
	redis.call('SET', name, writeHold(h), 'KEEPTTL')
end

-- Why an id is revoked, itself or with a family of those above it; nil where it is not.
local function revokedFor(id, above, now)
	local names = {'i:' .. id, 'f:' .. id}
	for other in string.gmatch(above, '%S+') do names[#names + 1] = 'f:' .. other end
	for _, text in ipairs(redis.call('HMGET', REVOKED, unpack(names))) do
		local till, reason = string.match(text or '', '^(%d+) (.*)$')
		if till and tonumber(till) > now then return reason end
	end
end

-- Takes the revocation back of a task that was replaced, now that it is cancelled.
local function forgetReplaced(id)
	local name = 'i:' .. id
	if string.match(redis.call('HGET', REVOKED, name) or '', '^%d+ replaced by ') then redis.call('HDEL', REVOKED, name) end
end
