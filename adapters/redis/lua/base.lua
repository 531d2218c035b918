-- What every script shares.

local GROUP = 'stem'

local function int(x) return string.format('%.0f', x) end

-- Redis' clock in ms plus an offset that only tests set, and the same in 2048ths of a ms.
local function clock(offset)
	local t = redis.call('TIME')
	local micros = tonumber(t[2])
	local ms = t[1] * 1000 + math.floor(micros / 1000) + offset
	return ms, ms * 2048 + math.floor((micros % 1000) * 2.048)
end
