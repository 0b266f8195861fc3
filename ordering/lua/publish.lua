-- Accepts an event once, and puts it last in its key's line.
--
-- ARGV[4] company   [5] id   [6] ordering key   [7] keys it needs, one a line   [8] type
-- ARGV[9] "1" for a snapshot   [10] "1" for a control event   [11] sequence or ""
-- ARGV[12] occurred, ms   [13] body   [14] reason to keep it as failed, or ""   [15] remedy
-- ARGV[16] "1" for a recurring event, whose id may come again once it is through   [17] ARGV[14] in English
-- returns { 1 accepted | 0 known, woken }

follow_clock()
local company, id, key = ARGV[4], ARGV[5], ARGV[6]
local ref = company .. ':' .. id
local hash = P .. 'event:' .. ref

-- An event that was kept as failed because it is invalid gives way to a valid one with its id: the producer corrected it.
local function gives_way()
  local older = ARGV[14] == '' and redis.call('HGET', hash, 'invalid') and load(company, id)
  if not older or older.status ~= 'failed' then return false end
  redis.call('ZREM', P .. 'reports', ref)
  older.recurring = true -- its id comes again: nothing of it stays
  finish(older, 'skipped', message('engine.corrected', {}))
  return true
end
if redis.call('EXISTS', hash) == 1 and not gives_way() then return { 0, woken } end

-- Nothing is written unless everything can be: a script that fails half-way would leave half an event behind.
for name, kind in pairs({
  ['company:' .. company] = 'hash', ['company-keys:' .. company] = 'hash', ['company-open:' .. company] = 'zset',
  ['key:' .. key] = 'hash',
  ['key-line:' .. key] = 'zset', ['key-failed:' .. key] = 'zset', ['key-settled:' .. key] = 'zset',
}) do
  local found = redis.call('TYPE', P .. name).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. P .. name .. ' is a ' .. found .. ', not a ' .. kind)
  end
end

local place = redis.call('INCR', P .. 'tickets')
redis.call('SADD', P .. 'companies', company)
redis.call('SET', P .. 'body:' .. ref, ARGV[13])
redis.call('HSET', hash, 'status', 'waiting', 'key', key, 'needs', ARGV[7], 'type', ARGV[8], 'place', place,
  'accepted', int(NOW), 'occurred', ARGV[12])
if ARGV[9] == '1' then redis.call('HSET', hash, 'snapshot', 1) end
if ARGV[10] == '1' then redis.call('HSET', hash, 'control', 1) end
if ARGV[16] == '1' then redis.call('HSET', hash, 'recurring', 1) end
if ARGV[11] ~= '' then redis.call('HSET', hash, 'sequence', ARGV[11]) end
redis.call('HINCRBY', P .. 'company:' .. company, 'n:waiting', 1)
redis.call('HSET', P .. 'company-keys:' .. company, id, key)

local e = load(company, id)
if ARGV[14] ~= '' then
  redis.call('HSET', hash, 'invalid', 1)
  sentences[ARGV[14]] = ARGV[17]
  finish(e, 'failed', ARGV[14], { 'remedy', ARGV[15] })
  release(company)
  return { 1, woken }
end

-- A newer snapshot takes the place of one that has not started (promise 5), so what waited for the older one now waits
-- for it. It must not overtake anything by that: both must need the same keys, no event of those keys that was accepted
-- in between may be open or failed, and nothing newer of their own key may have gone through.
local function may_take_place_of(older)
  if not (older and e.snapshot and older.snapshot) or older.started or older.needs ~= e.needs then return false end
  local through = tonumber(redis.call('HGET', P .. 'key:' .. key, 'through') or '')
  if through and through > older.place then return false end
  for need in string.gmatch(e.needs, '[^\n]+') do
    for _, set in ipairs({ 'key-line:', 'key-failed:' }) do
      local last = redis.call('ZREVRANGE', P .. set .. need, 0, 0, 'WITHSCORES')[2]
      if last and tonumber(last) > older.place then return false end
    end
  end
  return true
end

local before = redis.call('ZREVRANGE', P .. 'key-line:' .. key, 0, 0)[1]
redis.call('ZADD', P .. 'key-line:' .. key, place, id)
redis.call('ZADD', P .. 'company-open:' .. company, NOW, id)
local older = before and e.snapshot and load(company, before)
if may_take_place_of(older) then
  if older.sequence and e.sequence and e.sequence < older.sequence then
    supersede_by_sequence(e, older.sequence, true)
  else
    e.place = older.place
    redis.call('HSET', hash, 'place', int(e.place))
    redis.call('ZADD', P .. 'key-line:' .. key, e.place, id)
    redis.call('ZREM', P .. 'key-line:' .. key, older.id)
    finish(older, 'superseded', message('engine.superseded', { by = id }))
  end
else
  consider(e)
end
-- The report of a failure names what waits behind it. This event comes after that report, so it has one of its own.
if redis.call('HGET', hash, 'status') == 'held' then
  local failed = lowest(P .. 'key-failed:' .. redis.call('HGET', hash, 'blocker'))
  if not (failed and redis.call('ZSCORE', P .. 'reports', company .. ':' .. failed)) then report(ref) end
end
release(company)
return { 1, woken }
