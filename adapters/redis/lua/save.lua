#!lua flags=allow-oom
-- Saves records of results.
--
-- KEYS: the hashes.
-- ARGV: offset of the clock, channel; then for each record the index of its hash, its id, delivery
-- number, whether it is final, how long to keep it in ms, the record.
--
-- It answers the indices of those that are refused, or 0.
local now = clock(tonumber(ARGV[1]))
local records = {}
for i = 3, #ARGV, 6 do
	records[#records + 1] = {KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]}
end
local refused = save(records, now, ARGV[2])
if refused[1] then return refused end
return 0
