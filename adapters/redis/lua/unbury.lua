#!lua flags=allow-oom
-- Removes dead letters of one queue.
--
-- KEYS: those of the queue (see keys.go). ARGV: the places of the letters, as letters.lua has shown them.
--
-- It answers the indices of those that are not there any more, or 0.
local gone = {}
for i, where in ipairs(ARGV) do
	local key, _, rank = find(BURIALS, where)
	if key then
		redis.call('ZREMRANGEBYRANK', BURIALS, int(rank), int(rank))
		redis.call('HDEL', DEAD, key, key .. ' e')
	else
		gone[#gone + 1] = i - 1
	end
end
if gone[1] then return gone end
return 0
