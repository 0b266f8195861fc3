-- Applies what is due by time: retries, lapsed leases, ended rests, unanswered wake-ups; and considers the waiters that
-- an earlier call left over. Safe to run at any time and in parallel.
--
-- ARGV[4] how many of each at most   [5] when a wake-up is repeated, ms; then after twice as long each time
-- ARGV[6] after how many lapsed leases in a row an event fails
-- ARGV[7] name of the worker that pumps and so lives, or ""   [8] for how long that is good, ms
-- returns { ms until more is due (-1: nothing is scheduled), woken }

follow_clock()
local most, rewake, lapses = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local MOST_DOUBLINGS = 4
local MOST_WOKEN_AGAIN = 1000
local touched = {}

local function due(set)
  return redis.call('ZRANGEBYSCORE', P .. set, '-inf', NOW, 'LIMIT', 0, most)
end

for _, ref in ipairs(due('due')) do
  local e = load_or_set_aside(ref)
  if e then ready(e) end
  touched[split(ref)] = true
end

-- A lease is valid up to and including its last ms, as in holds().
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', '(' .. int(NOW), 'LIMIT', 0, most)) do
  local e = load_or_set_aside(ref)
  if e then orphan(e, 'lapses', lapses, 'engine.worker-lost') end
  touched[split(ref)] = true
end

if ARGV[7] ~= '' then -- written about once a second
  local until_now = tonumber(redis.call('ZSCORE', P .. 'workers', ARGV[7]) or '')
  local renewed = NOW + tonumber(ARGV[8])
  if not until_now or renewed - until_now >= TICK then redis.call('ZADD', P .. 'workers', renewed, ARGV[7]) end
end
local dead = redis.call('ZRANGEBYSCORE', P .. 'workers', '-inf', '(' .. int(NOW), 'LIMIT', 0, most)
for _, worker in ipairs(dead) do
  local claimed = redis.call('HGETALL', P .. 'worker:' .. worker)
  redis.call('DEL', P .. 'worker:' .. worker)
  redis.call('ZREM', P .. 'workers', worker)
  for at = 1, #claimed, 2 do
    local e = free(claimed[at], claimed[at + 1], function(held) orphan(held, 'lapses', lapses, 'engine.worker-lost') end)
    if e then touched[e.company] = true end
  end
end
if dead[1] then -- the wake-ups in its hands are lost; nobody knows which these were
  for _, ref in ipairs(redis.call('ZRANGE', P .. 'woken', 0, MOST_WOKEN_AGAIN - 1)) do
    redis.pcall('HDEL', P .. 'event:' .. ref, 'wakes')
    redis.call('ZADD', P .. 'woken', 'LT', NOW - rewake, ref)
  end
end

for _, company in ipairs(due('resting')) do
  redis.call('ZREM', P .. 'resting', company)
  redis.call('HDEL', P .. 'company:' .. company, 'rests')
  touched[company] = true
end

for _ = 1, most do
  if looks <= 0 then break end
  local key = redis.call('SPOP', P .. 'unblocked')
  if not key then break end
  local company = string.match(key, '^[^/]+')
  sweep(key)
  touched[company] = true
end

for company in pairs(touched) do release(company) end

-- A wake-up may be lost, or be waiting in a long queue. Repeating it at a constant pace would make the queue longer.
local stale = redis.call('ZRANGEBYSCORE', P .. 'woken', '-inf', NOW - rewake, 'LIMIT', 0, most)
for _, ref in ipairs(stale) do
  local company, id = split(ref)
  if wake(company, id) then
    local times = math.min(redis.call('HINCRBY', P .. 'event:' .. ref, 'wakes', 1), MOST_DOUBLINGS)
    redis.call('ZADD', P .. 'woken', NOW + rewake * (2 ^ times - 1), ref)
  else
    release(company)
  end
end

local next_due = nil
local function sooner(time)
  if time and (not next_due or time < next_due) then next_due = time end
end
for _, set in ipairs({ 'due', 'resting' }) do
  local _, time = lowest(P .. set)
  sooner(time)
end
local _, lease = lowest(P .. 'leases')
sooner(lease and lease + 1)
local _, lives = lowest(P .. 'workers')
sooner(lives and lives + 1)
local _, sent = lowest(P .. 'woken')
sooner(sent and sent + rewake)
if redis.call('EXISTS', P .. 'unblocked') == 1 then sooner(NOW) end
return { next_due and int(math.max(0, next_due - NOW)) or '-1', woken }
