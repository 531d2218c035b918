-- Saving records of results, for the scripts that do. A record lies in a hash, which its id tells,
-- under its id, as "<kept until> <delivery number> <1 if it is final> <record>".

-- Lets a hash live at least so long.
local function expire(bucket, keep)
	if redis.call('PEXPIRE', bucket, keep, 'GT') == 0 and redis.call('PTTL', bucket) == -1 then
		redis.call('PEXPIRE', bucket, keep)
	end
end

-- Saves records, each {bucket, id, number, final, keep, record}, and gives the numbers of those that
-- are refused: a newer delivery has written, or this one has and it was final. Final ones of hashes of which somebody
-- waits for one (see await.lua) are announced on the channel, if there is one.
local function save(records, now, channel)
	local refused, ended, announced = {}, {}, {}
	local i = 1
	while i <= #records do
		-- A run of records of one bucket, with no id twice, is one step.
		local bucket, ids, last, seen = records[i][1], {}, i, {}
		while last <= #records and records[last][1] == bucket and #ids < 500 and not seen[records[last][2]] do
			ids[#ids + 1] = records[last][2]
			seen[records[last][2]] = true
			last = last + 1
		end
		ids[#ids + 1] = ''
		local standing = redis.call('HMGET', bucket, unpack(ids))
		local awaited = standing[#ids]
		local fields, longest = {}, 0
		for j = i, last - 1 do
			local r, refuse = records[j], false
			local number, final, keep = tonumber(r[3]), r[4], tonumber(r[5])
			local old = standing[j - i + 1]
			if old then
				local till, oldNumber, oldFinal, at = string.match(old, '^(%d+) (%d+) (%d) ()')
				if till and tonumber(till) > now then
					oldNumber = tonumber(oldNumber)
					if oldNumber > number then
						refuse = true
					elseif oldNumber == number and oldFinal == '1' then
						refuse = string.sub(old, at) ~= r[6]
					end
				end
			end
			if refuse then
				refused[#refused + 1] = j
			else
				fields[#fields + 1] = r[2]
				fields[#fields + 1] = int(now + keep) .. ' ' .. r[3] .. ' ' .. final .. ' ' .. r[6]
				longest = math.max(longest, keep)
				if final == '1' and awaited and not announced[bucket] then
					announced[bucket] = true
					ended[#ended + 1] = bucket
				end
			end
		end
		if fields[1] then
			redis.call('HSET', bucket, unpack(fields))
			expire(bucket, int(longest))
		end
		i = last
	end
	if ended[1] and channel then redis.call('PUBLISH', channel, table.concat(ended, '\n')) end
	return refused
end
