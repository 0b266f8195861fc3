-- Runs an event again at a person's request. A failed or skipped event, or one that was done with something left out
-- (its body is still there), takes its old place. A retrying event runs now; a held one runs without what it waits for.
-- Its attempts start from 0.
--
-- ARGV[4] company   [5] id   [6] a step to record as taken, or ""
-- returns { its new status | "" it cannot be retried now | "unknown", woken }

follow_clock()
local company = ARGV[4]
local e = load(company, ARGV[5])
if not e then
  set_aside_if_known(company, ARGV[5])
  return { 'unknown', woken }
end
local function mark()
  if ARGV[6] ~= '' then redis.call('HSET', P .. 'progress:' .. e.ref, ARGV[6], 1) end
end
if e.status == 'retrying' or e.status == 'held' then
  local first = lowest(P .. 'key-line:' .. e.key) == e.id
  local busy = e.status == 'held' and redis.call('EXISTS', P .. 'key-active:' .. e.key) == 1
  if not first or busy then return { '', woken } end
  redis.call('ZREM', P .. 'reports', e.ref)
  redis.call('HDEL', e.hash, 'attempts')
  mark()
  ready(e)
elseif e.status == 'failed' or e.status == 'skipped'
    or (e.status == 'done' and redis.call('EXISTS', P .. 'body:' .. e.ref) == 1) then
  redis.call('PERSIST', e.hash)
  redis.call('PERSIST', P .. 'body:' .. e.ref)
  redis.call('PERSIST', P .. 'progress:' .. e.ref)
  mark()
  move(e, 'waiting')
  redis.call('HDEL', e.hash, 'settled', 'attempts', 'crashes', 'lapses', 'wakes', 'before')
  redis.call('ZREM', P .. 'reports', e.ref)
  redis.call('ZADD', P .. 'key-line:' .. e.key, e.place, e.id)
  local accepted = tonumber(redis.call('HGET', e.hash, 'accepted') or '') or NOW
  redis.call('ZADD', P .. 'company-open:' .. company, accepted, e.id)
  redis.call('HSET', P .. 'company-keys:' .. company, e.id, e.key)
  consider(e)
else
  return { '', woken }
end
release(company)
return { e.status, woken }
