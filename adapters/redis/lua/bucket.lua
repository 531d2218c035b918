-- What scripts share that deal with buckets of turns. A bucket holds "<when its next turn is due if they are spaced evenly> <until when
-- nobody has one>", in us by the server's clock, and is kept until both are over: then it is as good as none.
local function micros(offset)
	local t = redis.call('TIME')
	return t[1] * 1000000 + t[2] + offset * 1000
end

local function bucketOf(key)
	local next, penalty = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
	return {next = tonumber(next or 0), penalty = tonumber(penalty or 0)}
end

local function keepBucket(key, bucket, now)
	local left = math.max(bucket.next, bucket.penalty) - now
	if left > 0 then redis.call('SET', key, int(bucket.next) .. ' ' .. int(bucket.penalty), 'PX', int(math.ceil(left / 1000))) end
end
