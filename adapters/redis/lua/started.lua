#!lua flags=allow-oom
-- Notes that unique tasks of one queue are about to run.
--
-- KEYS: those that every publishing script has (see keys_publish.lua), then the unique keys.
-- ARGV: offset of the clock; then for each task "<index of its key> <id> <ids above it …>", and its hold while it
--   runs, or '' where it lets the key go now.
--
-- It answers pairs of the place of a task that must not run and the reason with which it was revoked, or 0.
local now = clock(tonumber(ARGV[1]))
local revoked = (tonumber(redis.call('HGET', STATE, 'revoked') or nil) or 0) > now
local notices = {}
for i = 2, #ARGV, 2 do
	local key, id, above = string.match(ARGV[i], '^(%d+) (%S+)(.*)$')
	local reason = revoked and revokedFor(id, above, now)
	if reason then
		notices[#notices + 1] = (i - 2) / 2
		notices[#notices + 1] = reason
	elseif ARGV[i + 1] == '' then
		letGo(KEYS[tonumber(key)], id, now)
	else
		rewriteHold(KEYS[tonumber(key)], id, ARGV[i + 1])
	end
end
if notices[1] then return notices end
return 0
