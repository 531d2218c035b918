-- How publish.lua takes a unique key.

-- Whether a hold still keeps others out.
local function stands(h, now)
	if h.till ~= 0 and now >= h.till then return false end
	if h.state == 'f' then return true end
	if h.state == 'q' and h.expires ~= 0 and now >= h.expires then return false end
	if (tonumber(redis.call('HGET', STATE, 'revoked') or nil) or 0) <= now then return true end
	return not revokedFor(h.id, h.above, now)
end

-- Takes a key for an envelope; what is said of it is "<how long or 0> <1 if it may be replaced> <when it expires or 0> <ids above it …>".
-- It gives the hold that stands in the way, or the one that it replaces.
local function hold(name, id, about, now, due, place)
	local span, replace, expires, above = string.match(about, '^(%d+) ([01]) (%d+)(.*)$')
	local mine = {state = 'q', replace = replace, due = due, place = place, id = id, above = above}
	mine.till = span == '0' and 0 or now + span
	mine.expires = expires == '0' and 0 or now + expires
	local command = {'SET', name, writeHold(mine), 'NX', 'GET'}
	if span ~= '0' then command[6] = 'PX' command[7] = span end
	local text = redis.call(unpack(command))
	if not text then return end
	local other, replaced = readHold(text), nil
	if other and stands(other, now) then
		if replace == '0' or other.replace == '0' or other.state ~= 'q' or other.id == id then return other end
		replaced = other
	end
	command[4], command[5], command[6], command[7] = command[6], command[7], nil, nil
	redis.call(unpack(command))
	return nil, replaced
end

-- Revokes who was replaced. If it waits for its time, that has come; then it answers true.
local function replace(h, by, now, keep)
	local till = now + keep
	redis.call('HSET', REVOKED, 'i:' .. h.id, int(till) .. ' replaced by ' .. by)
	if redis.call('PTTL', REVOKED) < keep then redis.call('PEXPIRE', REVOKED, int(keep)) end
	if (tonumber(redis.call('HGET', STATE, 'revoked') or nil) or 0) < till then redis.call('HSET', STATE, 'revoked', int(till)) end
	if tonumber(h.due) <= now then return false end
	-- Many may be due at the same time; beyond these it is found when they are due.
	for _, member in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, h.due, h.due, 'LIMIT', 0, 1000)) do
		if string.match(member, '^%d (%S+) ') == h.place then
			redis.call('ZADD', DELAYED, int(now), member)
			return true
		end
	end
	return false
end
