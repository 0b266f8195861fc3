-- What time alone brings about: due retries, lapsed leases, companies that rested, wake-ups nobody answered,
-- waiters that one call could not finish with. Harmless in parallel and at any time.
--
-- ARGV[4] how many of each at most   [5] after how long a wake-up is repeated, ms; then after twice as long, and so on
-- ARGV[6] after how many lapsed leases in a row an event is set aside
-- returns { ms until the next one is due (-1: nothing is), woken }

local most, rewake, lapses = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local MOST_DOUBLINGS = 4
local touched = {}

local function due(set)
  return redis.call('ZRANGEBYSCORE', P .. set, '-inf', NOW, 'LIMIT', 0, most)
end

for _, ref in ipairs(due('due')) do
  local e = load_ref(ref)
  ready(e)
  touched[e.company] = true
end

-- A lease is good up to and including its last ms, as in holds().
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', '(' .. int(NOW), 'LIMIT', 0, most)) do
  local e = load_ref(ref)
  orphan(e, 'lapses', lapses, 'engine.worker-lost')
  touched[e.company] = true
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

-- It may be lost, or stand in a long queue: to repeat it at the same pace for ever would make that longer.
local stale = redis.call('ZRANGEBYSCORE', P .. 'woken', '-inf', NOW - rewake, 'LIMIT', 0, most)
for _, ref in ipairs(stale) do
  local colon = string.find(ref, ':', 1, true)
  wake(string.sub(ref, 1, colon - 1), string.sub(ref, colon + 1))
  local times = math.min(redis.call('HINCRBY', P .. 'event:' .. ref, 'wakes', 1), MOST_DOUBLINGS)
  redis.call('ZADD', P .. 'woken', NOW + rewake * (2 ^ times - 1), ref)
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
local _, sent = lowest(P .. 'woken')
sooner(sent and sent + rewake)
if redis.call('EXISTS', P .. 'unblocked') == 1 then sooner(NOW) end
return { next_due and int(math.max(0, next_due - NOW)) or '-1', woken }
