-- How a turn of receive.lua begins: what is asked, how the queue is, and the session opened where it is not.
local offset, session, lease, leaving = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local most, mostBytes, age = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local knowsAll, waits, longest = ARGV[8] == '1', ARGV[9] == '1', tonumber(ARGV[10])
local read, recovers = tonumber(ARGV[12]), ARGV[13] == '1'
local bounds = tonumber(ARGV[14])
local FIRST = 15 + bounds

-- How many more of a task may be lent, by name; nothing where there is no bound.
local left = bounds > 0 and {} or nil
for i = 15, 14 + bounds do
	local name, most = string.match(ARGV[i], '^(%S+) (%d+)$')
	left[name] = tonumber(most)
end

local now, number = clock(offset)
if ARGV[11] == '1' then ensure() end
local mine, taken = 'S:' .. session, 'T:' .. session
local function look() return state('number', 'paused', 'next', 'back', 'aside', 'used', 'era', 'watch', mine, taken, 'revoked') end
local st = look()
if not st[6] then
	ensure()
	st = look()
end
local paused, next, used = st[2], tonumber(st[3] or nil), st[6]
local back, aside = st[4] == '1', st[5] == '1'
local known
if not knowsAll and not paused then
	known = redis.call('GET', KEYS[24])
	if not known then return 'TASKS' end
end
local gone, bytes, full = 0, 0, false
local lent = {} -- three texts for each entry

-- How many more may be lent of a task that has a bound; nil for the others.
local function leftOf(task) return left and left[string.match(task, '^%S*')] end

-- Whether the receiver can run a task of a schema ("demo.hello 00c0ffee00c0ffee", "-" for none), and may have one more.
local verdicts = {}
local function knows(task)
	if leftOf(task) == 0 then return false end
	if knowsAll or task == '' then return true end -- what has no task is no envelope: whoever gets it buries it
	local verdict = verdicts[task]
	if verdict == nil then
		local name, schema = string.match(task, '^(%S+) (%S+)$')
		local line = name and string.match(known, '\n' .. string.gsub(name, '%p', '%%%0') .. ' ([^\n]*)\n')
		verdict = line ~= nil and (line == '*' or schema == '-' or string.find(line, schema, 1, true) ~= nil)
		verdicts[task] = verdict
	end
	return verdict
end

local noticed = false
local function noteAside(task, more)
	if countAside(task, more) == more then
		noticed = true -- of more the same were told already: nobody waits who knows what is set aside
	end
	redis.call('HSET', STATE, 'aside', 1)
	aside = true -- who is lent this task again soon looks, and does not only wait
end

local function setAside(addr, task)
	redis.call('ZREM', BACK, addr)
	if redis.call('ZADD', ASIDE, 0, task .. '\n' .. addr) == 1 then noteAside(task, 1) end
end

-- Opens the session where it is not open.
local opened = false
do
	local renewed, before, _, lapsed = tenure(st[9])
	if not renewed or lapsed > 0 or now >= renewed + before then
		next = by(renew(session, used, st[9], now, lease, leaving), next)
		opened = true
	end
end
