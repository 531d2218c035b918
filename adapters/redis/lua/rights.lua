#!lua flags=allow-oom
-- Tells what the user may not do, by commands that do nothing.
--
-- KEYS: one that is not used. ARGV: commands as "<name> <argument> …", where $ is the key. The
-- first makes the key a text for a second, so that commands for other types do nothing to it.
--
-- It answers pairs of the index of a command and what the server says to it, for those that it refuses.
local refused = {}
for i, text in ipairs(ARGV) do
	local words = {}
	for word in string.gmatch(text, '%S+') do words[#words + 1] = word == '$' and KEYS[1] or word end
	local reply = redis.pcall(unpack(words))
	local err = type(reply) == 'table' and reply.err
	if err and (string.find(err, 'NOPERM', 1, true) or string.find(err, 'user executing the script', 1, true)) then
		refused[#refused + 1] = i - 1
		refused[#refused + 1] = err
	end
end
return refused
