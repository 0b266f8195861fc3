-- What all scripts share. It is put before each of them; only these scripts write the engine's keys.
--
-- KEYS[1]  prefix of every key, for example "mf:"   [2] the stream that gets an entry for each event that settles
-- ARGV[1]  the time in ms since the epoch, or "" for the server's clock (tests pass a time)
-- ARGV[2]  how many transfers of a company may be released at a time
-- ARGV[3]  how long a settled event is remembered, ms
-- ARGV[4…] the script's own
-- send     function that sends a wake-up (see Ordering), or nil: then wake-ups are returned
-- take     function that takes the next wake-up off the queue of a type of event, or nil
--
-- Layout (one server, no cluster: key names are built here). `ref` is "company:id". What comes from outside (an ordering
-- key, a company, an id) ends a name, so whatever it holds, no two names can be the same.
--   tickets, fences                  counters: admission order, claims
--   clock                            about the latest time that a script saw, see follow_clock
--   workers                          sorted set by time: until when each worker is known to live
--   worker:<w>                       hash: process → ref of what it claimed last
--   companies                        set of company codes
--   due, leases, woken, resting      sorted sets by time: retries, leases (ref); wake-ups sent and not yet
--                                    answered (ref; of one repeated n times, the later the more); companies
--                                    that may go on then
--   unblocked                        set of ordering keys whose waiters are not all looked at yet
--   counters                         hash: `events|<type>|<status>`, and what stores/counters.py counts
--   reports                          sorted set by time: refs (or "company:") a person must be told of
--   damaged                          sorted set by time found: refs of events that could not be read
--   (KEYS[2])                        stream: how each event settled, for producers (docs/producers.md)
--   event:<ref>                      hash: see publish.lua;  body:<ref> its JSON;  progress:<ref> steps done
--   company:<c>                      hash: n:<status> counts, paused, rests, troubles, troubled, probing; stale_told and
--                                    jump_told: the day on which a person was last told of such sequences
--   company-ready:<c>, -control      sorted sets id → place: may start (control: even while paused)
--   company-released:<c>             set of ids that hold one of the company's slots
--   company-held:<c>                 set of ids that are held
--   company-open:<c>, -failed        sorted sets id → time accepted, time failed
--   company-keys:<c>                 hash id → ordering key of what is open or failed, should its hash be lost
--   company-done:<c>, -superseded, -skipped   sorted sets id → time settled: the transfer log; trimmed, expires
--   key:<k>                          hash: through (highest place done), sequence, done_at; it expires
--   key-active:<k>                   id of the event that is ready, running or retrying
--   key-line:<k>, -failed            sorted sets id → place
--   key-settled:<k>                  sorted set id → time settled: the log of one number; trimmed, expires
--   key-waiters:<k>, -held           sorted sets ref → place: events of other keys that need this one
--   key-refused:<k>                  sorted set ref → time: held, as the target refused them for this key

local P, OUTCOMES = KEYS[1], KEYS[2]
local NOW = tonumber(ARGV[1])
if not NOW then
  local time = redis.call('TIME')
  NOW = time[1] * 1000 + math.floor(time[2] / 1000)
end
local CAP = tonumber(ARGV[2])
local KEEP = ARGV[3]

local woken = {}   -- wake-ups to return: flat company, id, type, key
local looks = 200  -- how many waiters this call may still look at; the pump looks at the rest

local JUMP = 1000000000 -- a sequence that rises by more is no counter's next value
local DAY = 86400000 -- ms
local YEAR_2000 = 946684800000 -- ms

local ACTIVE = { ready = true, running = true, retrying = true }

local OUTCOMES_KEPT = 100000 -- entries, about; 40 MB

local function int(number) return string.format('%.0f', number) end

local TICK = 1000 -- ms: `clock` is written once in so long, and what is less is no step of the clock
local SILENCE = 2000 -- ms without any script: Redis was away, and nobody could renew anything

local function shift(set, by)
  local members = redis.call('ZRANGE', P .. set, 0, -1, 'WITHSCORES')
  for at = 1, #members, 2 do redis.call('ZADD', P .. set, members[at + 1] + by, members[at]) end
end

-- Notes the time. If the server's clock was set back, what is scheduled goes back with it; if no script ran for a while,
-- no worker is thought dead for that.
local function follow_clock()
  local seen = tonumber(redis.call('GET', P .. 'clock') or '')
  if seen and math.abs(NOW - seen) < TICK then return end
  redis.call('SET', P .. 'clock', int(NOW))
  if not seen then return end
  if NOW < seen then
    for _, company in ipairs(redis.call('ZRANGE', P .. 'resting', 0, -1)) do
      redis.call('HINCRBY', P .. 'company:' .. company, 'rests', int(NOW - seen))
    end
    for _, set in ipairs({ 'due', 'leases', 'woken', 'resting', 'workers' }) do shift(set, NOW - seen) end
  elseif NOW - seen > SILENCE then
    shift('workers', NOW - seen)
  end
end

-- The time of these ms since the epoch in ISO 8601, UTC. (Redis' Lua has no `os.date`; days to a date as in
-- https://howardhinnant.github.io/date_algorithms.html#civil_from_days.)
local function iso_time(ms)
  local seconds = math.floor(ms / 1000)
  local days, left = math.floor(seconds / 86400), seconds % 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day, month = doy - math.floor((153 * mp + 2) / 5) + 1, mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, math.floor(left / 3600),
    math.floor(left / 60) % 60, left % 60, ms % 1000)
end

-- The English of the reasons that scripts give; a test compares it with the catalogue.
local SENTENCES = {
  ['engine.later-went-through'] = 'A later one went through.',
  ['engine.corrected'] = 'It was corrected and sent again.',
  ['engine.stale-sequence'] = 'Out of date: sequence {sequence} came after {applied}.',
  ['engine.newer-went-through'] = 'A newer event of the same number has gone through.',
  ['engine.superseded'] = 'Superseded by {by}.',
  ['engine.process-died'] = 'The process that transferred it died {n} times in a row.',
  ['engine.worker-lost'] = 'The worker that transferred it disappeared {n} times in a row.',
  ['engine.sequence-jump'] = 'The sequence rose from {applied} to {sequence}.'
    .. ' Updates with a lower sequence will not be transferred.',
}
local sentences = {} -- message → its English, of every reason that this call may settle an event with

-- A message in the form that `messages.Message` reads: a key and its parameters.
local function message(key, params)
  local stored = cjson.encode({ { key, params } })
  sentences[stored] = SENTENCES[key] and string.gsub(SENTENCES[key], '{(%w+)}', params)
  return stored
end

-- The event; nil if it is not there, or its hash cannot be read.
local function load(company, id)
  local ref = company .. ':' .. id
  local f = redis.pcall('HMGET', P .. 'event:' .. ref, 'status', 'key', 'needs', 'place', 'snapshot',
    'sequence', 'blocker', 'type', 'fence', 'control', 'claimed', 'started', 'refused', 'attempts', 'recurring',
    'holder')
  local place = tonumber(f[4] or '')
  if not (f[1] and f[2] and place) or (f[1] == 'held' and not f[7]) then return nil end
  return { company = company, id = id, ref = ref, hash = P .. 'event:' .. ref, status = f[1], key = f[2],
    needs = f[3] or '', place = place, snapshot = f[5] == '1', sequence = tonumber(f[6] or ''), blocker = f[7],
    type = f[8] or 'unknown', fence = f[9], control = f[10] == '1', claimed = tonumber(f[11] or '') or 0,
    started = f[12] == '1', refused = f[13] == '1', attempts = tonumber(f[14] or '') or 0, recurring = f[15] == '1',
    holder = f[16] }
end

local function split(ref)
  local colon = string.find(ref, ':', 1, true)
  return string.sub(ref, 1, colon - 1), string.sub(ref, colon + 1)
end

-- Gives an event a new status, and takes it out of the sets of the old one. `fields`: more fields to set, flat.
local function move(e, status, fields)
  if e.status == 'waiting' and e.blocker then
    redis.call('ZREM', P .. 'key-waiters:' .. e.blocker, e.ref)
  elseif e.status == 'held' then
    redis.call('ZREM', P .. (e.refused and 'key-refused:' or 'key-held:') .. e.blocker, e.ref)
    redis.call('SREM', P .. 'company-held:' .. e.company, e.id)
  elseif e.status == 'ready' then
    redis.call('ZREM', P .. 'woken', e.ref)
    if status ~= 'running' then -- which keeps the slot
      redis.call('ZREM', P .. (e.control and 'company-control:' or 'company-ready:') .. e.company, e.id)
      redis.call('SREM', P .. 'company-released:' .. e.company, e.id)
    end
  elseif e.status == 'running' then
    redis.call('ZREM', P .. 'leases', e.ref)
    redis.call('SREM', P .. 'company-released:' .. e.company, e.id)
  elseif e.status == 'retrying' then
    redis.call('ZREM', P .. 'due', e.ref)
  elseif e.status == 'failed' then
    redis.call('ZREM', P .. 'key-failed:' .. e.key, e.id)
    redis.call('ZREM', P .. 'company-failed:' .. e.company, e.id)
    redis.call('ZREM', P .. 'key-settled:' .. e.key, e.id)
  elseif e.status == 'skipped' or e.status == 'done' then
    redis.call('ZREM', P .. 'company-' .. e.status .. ':' .. e.company, e.id)
    redis.call('ZREM', P .. 'key-settled:' .. e.key, e.id)
  end
  if e.blocker then
    redis.call('HDEL', e.hash, 'blocker', 'refused')
    e.blocker, e.refused = nil, false
  end
  if ACTIVE[e.status] and not ACTIVE[status] then
    redis.call('DEL', P .. 'key-active:' .. e.key)
  elseif ACTIVE[status] and not ACTIVE[e.status] then
    redis.call('SET', P .. 'key-active:' .. e.key, e.id)
  end
  if status == 'held' then redis.call('SADD', P .. 'company-held:' .. e.company, e.id) end
  local company = P .. 'company:' .. e.company
  redis.call('HINCRBY', company, 'n:' .. e.status, -1)
  redis.call('HINCRBY', company, 'n:' .. status, 1)
  redis.call('HSET', e.hash, 'status', status, unpack(fields or {}))
  e.status = status
end

local function wait_for(e, key)
  move(e, 'waiting')
  e.blocker = key
  redis.call('HSET', e.hash, 'blocker', key)
  redis.call('ZADD', P .. 'key-waiters:' .. key, e.place, e.ref)
end

local function hold(e, key)
  move(e, 'held', { 'reason', message('engine.behind-failed', {}), 'remedy', '', 'code', '', 'said', '' })
  e.blocker = key
  redis.call('HSET', e.hash, 'blocker', key)
  redis.call('ZADD', P .. 'key-held:' .. key, e.place, e.ref)
end

-- The target refused the event because of that key: only the next success of the key releases it.
local function hold_refused(e, key, fields)
  move(e, 'held', fields)
  e.blocker, e.refused = key, true
  redis.call('HSET', e.hash, 'blocker', key, 'refused', 1)
  redis.call('ZADD', P .. 'key-refused:' .. key, NOW, e.ref)
end

local function ready(e, fields)
  move(e, 'ready', fields)
  redis.call('ZADD', P .. (e.control and 'company-control:' or 'company-ready:') .. e.company, e.place, e.id)
end

local function report(ref) redis.call('ZADD', P .. 'reports', NOW, ref) end

-- Reports something that may happen to many events, once a day for each company. `field` remembers the day.
local function report_daily(e, field)
  local company, day = P .. 'company:' .. e.company, int(math.floor(NOW / DAY))
  if redis.call('HGET', company, field) == day then return end
  redis.call('HSET', company, field, day)
  report(e.ref)
end

local function lowest(set)
  local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  return first[1], tonumber(first[2] or '')
end

local finish, set_aside -- defined below

-- The event of this ref. If it cannot be read, sets it aside and returns nil.
local function load_or_set_aside(ref)
  local company, id = split(ref)
  local e = load(company, id)
  if not e then set_aside(company, id) end
  return e
end

-- The place of the first readable event in a set of a key, or nil.
local function first_place(set, company)
  while true do
    local id, place = lowest(set)
    if not id or load_or_set_aside(company .. ':' .. id) then return place end
    redis.call('ZREM', set, id)
  end
end

-- Supersedes an event for its sequence. If it came after the newer one, its sequence alone says that it is older, and
-- that may be the producer's mistake: a person is told.
local function supersede_by_sequence(e, applied, came_after)
  finish(e, 'superseded', message('engine.stale-sequence', { sequence = int(e.sequence), applied = int(applied) }),
    { 'remedy', message('engine.send-without-sequence', {}) })
  if came_after then report_daily(e, 'stale_told') end
end

-- Supersedes a snapshot that is out of date: a newer one of its key has gone through. Newer means a higher sequence, or
-- a later place where one of the two has no sequence. Returns whether it did.
local function supersede_if_stale(e)
  if not e.snapshot then return false end
  local f = redis.call('HMGET', P .. 'key:' .. e.key, 'sequence', 'through')
  local applied, through = tonumber(f[1] or ''), tonumber(f[2] or '')
  local later_went_through = through and through > e.place
  if e.sequence and applied then
    if e.sequence >= applied then return false end
    supersede_by_sequence(e, applied, not later_went_through)
  elseif later_went_through then
    finish(e, 'superseded', message('engine.newer-went-through', {}))
  end
  return e.status == 'superseded'
end

-- Starts the event if it is the first of its key, none of its key is under way, and all earlier events of the keys
-- that it needs are through (promises 1, 2, 4). Otherwise it waits, is held, or is superseded if it is out of date.
local function consider(e)
  local first = lowest(P .. 'key-line:' .. e.key)
  if first ~= e.id then return first and load_or_set_aside(e.company .. ':' .. first) end
  if redis.call('EXISTS', P .. 'key-active:' .. e.key) == 1 then return end
  if supersede_if_stale(e) then return end
  if e.refused then return end
  for key in string.gmatch(e.needs, '[^\n]+') do
    local place = first_place(P .. 'key-line:' .. key, e.company)
    if place and place < e.place then return wait_for(e, key) end
    local broken = first_place(P .. 'key-failed:' .. key, e.company)
    if broken and broken < e.place then return hold(e, key) end
  end
  ready(e)
end

-- Considers the first event of the key.
local function advance(key, company)
  local id = lowest(P .. 'key-line:' .. key)
  local e = id and load_or_set_aside(company .. ':' .. id)
  if e then consider(e) end
end

-- Takes an event out of a set of waiters and considers it.
local function consider_again(set, ref, status)
  looks = looks - 1
  local e = load_or_set_aside(ref)
  if not e or e.status ~= status then return redis.call('ZREM', set, ref) end
  move(e, 'waiting')
  consider(e)
end

-- Considers again the events that wait for this key: those before its first open event, those held that are before
-- its first failed event, and those refused because of it before its last success. Each of them is taken out of its
-- set, so none is looked at twice.
local function sweep(key)
  local waiters, held = P .. 'key-waiters:' .. key, P .. 'key-held:' .. key
  local refused = P .. 'key-refused:' .. key
  local _, open = lowest(P .. 'key-line:' .. key)
  local _, broken = lowest(P .. 'key-failed:' .. key)
  while looks > 0 do
    local ref, place = lowest(waiters)
    if not ref or (open and place > open) then break end
    consider_again(waiters, ref, 'waiting')
  end
  while looks > 0 do
    local ref, place = lowest(held)
    if not ref or (broken and place > broken) then break end
    consider_again(held, ref, 'held')
  end
  local done_at
  while looks > 0 do
    local ref, since = lowest(refused)
    done_at = done_at or ref and tonumber(redis.call('HGET', P .. 'key:' .. key, 'done_at') or '')
    if not ref or not done_at or (since > done_at and since <= NOW) then break end -- later than now: the clock was set back
    consider_again(refused, ref, 'held')
  end
  if looks <= 0 then redis.call('SADD', P .. 'unblocked', key) end
end

-- Sets aside an event that cannot be read: takes it out of every set, so that nothing waits for it, and lists it in
-- `damaged`. It is counted out as `status`, by default waiting, unless a set says otherwise.
function set_aside(company, id, status)
  local ref = company .. ':' .. id
  redis.call('ZADD', P .. 'damaged', NOW, ref)
  redis.call('ZREMRANGEBYSCORE', P .. 'damaged', '-inf', NOW - tonumber(KEEP))
  status = status or 'waiting'
  local function take_out(command, set, member, of)
    if redis.call(command, P .. set, member) == 1 then status = of or status end
  end
  take_out('ZREM', 'company-ready:' .. company, id, 'ready')
  take_out('ZREM', 'company-control:' .. company, id, 'ready')
  take_out('SREM', 'company-released:' .. company, id, 'ready')
  take_out('ZREM', 'woken', ref, 'ready')
  take_out('ZREM', 'leases', ref, 'running')
  take_out('ZREM', 'due', ref, 'retrying')
  take_out('SREM', 'company-held:' .. company, id, 'held')
  take_out('ZREM', 'company-failed:' .. company, id, 'failed')
  take_out('ZREM', 'company-open:' .. company, id)
  take_out('ZREM', 'reports', ref)
  local key = redis.call('HGET', P .. 'company-keys:' .. company, id)
  if not key then return end
  redis.call('HDEL', P .. 'company-keys:' .. company, id)
  redis.call('HINCRBY', P .. 'company:' .. company, 'n:' .. status, -1)
  take_out('ZREM', 'key-line:' .. key, id)
  take_out('ZREM', 'key-failed:' .. key, id)
  take_out('ZREM', 'key-settled:' .. key, id)
  if redis.call('GET', P .. 'key-active:' .. key) == id then redis.call('DEL', P .. 'key-active:' .. key) end
  advance(key, company)
  sweep(key)
end

-- Adds an event to an index of settled events. Each addition removes up to two that are past their retention, so
-- nothing is ever scanned; an unused index expires as a whole.
local function index(set, id)
  redis.call('ZADD', set, NOW, id)
  local old = redis.call('ZRANGEBYSCORE', set, '-inf', NOW - tonumber(KEEP), 'LIMIT', 0, 2)
  if old[1] then redis.call('ZREM', set, unpack(old)) end
  redis.call('PEXPIRE', set, KEEP)
end

-- A reason with the remark that the sequence rose so much that updates with ordinary ones will be superseded.
local function with_jump(reason, sequence, applied)
  local remark = message('engine.sequence-jump', { sequence = int(sequence), applied = int(applied) })
  if reason == '' then return remark end
  local both = string.sub(reason, 1, -2) .. ', ' .. string.sub(remark, 2)
  sentences[both] = (sentences[reason] or '') .. ' ' .. sentences[remark]
  return both
end

-- Tells producers how an event settled. A key of another kind in the stream's place does not stop the delivery.
local function publish_outcome(e, status, reason)
  local f = redis.call('HMGET', e.hash, 'code', 'document', 'voucher')
  redis.pcall('XADD', OUTCOMES, 'MAXLEN', '~', OUTCOMES_KEPT, '*', 'id', e.id, 'company', e.company, 'type', e.type,
    'key', e.key, 'status', status, 'code', f[1] or '', 'reason', sentences[reason] or '',
    'documentNumber', f[2] or '', 'voucher', f[3] or '', 'at', iso_time(NOW))
end

-- Whether both numbers are times of the same unit (s, ms or µs) between the year 2000 and tomorrow: a producer may send
-- the time of the change as its sequence.
local function are_times(one, other)
  for _, unit in ipairs({ 0.001, 1, 1000 }) do
    local first, last = YEAR_2000 * unit, (NOW + DAY) * unit
    if first <= one and one <= last and first <= other and other <= last then return true end
  end
  return false
end

-- A control event has gone through: those of its type and key that failed before it are out of date, and nobody needs to
-- be told of them any more. At most 100 of them.
local function supersede_failed_before(e)
  local failed = redis.call('ZRANGEBYSCORE', P .. 'key-failed:' .. e.key, '-inf', '(' .. int(e.place), 'LIMIT', 0, 100)
  for _, id in ipairs(failed) do
    local f = load_or_set_aside(e.company .. ':' .. id)
    if f and f.type == e.type then
      finish(f, 'superseded', message('engine.later-went-through', {}))
      redis.call('ZREM', P .. 'reports', f.ref)
    end
  end
end

-- Settles an event as done, failed, superseded or skipped, and considers what waited for it.
function finish(e, status, reason, fields)
  local company, key = P .. 'company:' .. e.company, P .. 'key:' .. e.key
  local applied = status == 'done' and e.sequence and tonumber(redis.call('HGET', key, 'sequence') or '')
  local jumped = applied and e.sequence - applied > JUMP and not are_times(applied, e.sequence)
  if jumped then reason = with_jump(reason, e.sequence, applied) end
  local written = { 'settled', int(NOW), unpack(fields or {}) }
  written[#written + 1], written[#written + 2] = 'reason', reason
  move(e, status, written)
  if not e.recurring then publish_outcome(e, status, reason) end
  redis.call('ZREM', P .. 'key-line:' .. e.key, e.id)
  redis.call('ZREM', P .. 'company-open:' .. e.company, e.id)
  if status ~= 'failed' then redis.call('HDEL', P .. 'company-keys:' .. e.company, e.id) end
  redis.call('HINCRBY', P .. 'counters', 'events|' .. e.type .. '|' .. status, 1)
  if status == 'failed' or not e.recurring then index(P .. 'key-settled:' .. e.key, e.id) end
  if status == 'failed' then
    redis.call('ZADD', P .. 'key-failed:' .. e.key, e.place, e.id)
    redis.call('ZADD', P .. 'company-failed:' .. e.company, NOW, e.id)
    report(e.ref)
  elseif e.recurring then -- its id comes again: it is neither remembered nor counted
    redis.call('HINCRBY', company, 'n:' .. status, -1)
    redis.call('DEL', e.hash, P .. 'body:' .. e.ref, P .. 'progress:' .. e.ref)
  else
    redis.call('PEXPIRE', e.hash, KEEP)
    index(P .. 'company-' .. status .. ':' .. e.company, e.id)
    if status == 'skipped' or e.again then -- a retry continues from the steps taken
      redis.call('PEXPIRE', P .. 'body:' .. e.ref, KEEP)
      redis.call('PEXPIRE', P .. 'progress:' .. e.ref, KEEP)
    else
      redis.call('DEL', P .. 'body:' .. e.ref, P .. 'progress:' .. e.ref)
    end
  end
  if status == 'done' then
    if e.control then supersede_failed_before(e) end
    redis.call('DEL', P .. 'key-failed:' .. e.key) -- the key is mended: events held behind it go on
    local through = math.max(e.place, tonumber(redis.call('HGET', key, 'through') or '') or 0)
    redis.call('HSET', key, 'done_at', int(NOW), 'through', int(through))
    if e.sequence then redis.call('HSET', key, 'sequence', int(e.sequence)) end
    if jumped then report_daily(e, 'jump_told') end
    redis.call('PEXPIRE', key, KEEP)
  end
  advance(e.key, e.company)
  sweep(e.key)
end

-- The holder of the event is gone. `field` counts how often in a row; after `most` times the event fails with `key`.
local function orphan(e, field, most, key)
  local times = redis.call('HINCRBY', e.hash, field, 1)
  if times >= most then
    finish(e, 'failed', message(key, { n = times }), { 'remedy', message('engine.our-fault', {}), 'code', 'crash' })
  else
    ready(e)
  end
end

local function state(company)
  local f = redis.call('HMGET', P .. 'company:' .. company, 'rests', 'paused', 'probing')
  return { rests = f[1], paused = f[2], probing = f[3] }
end

-- A control event (one that may end a pause) starts while its company is paused, but not while it rests.
local function may_start(company, control) return not company.rests and (control or not company.paused) end

-- Sends a wake-up, or sets the event aside if it cannot be read. Returns whether it was sent.
local function wake(company, id)
  local ref = company .. ':' .. id
  local e = load(company, id)
  if not e then
    set_aside(company, id, 'ready')
    return false
  end
  redis.call('SADD', P .. 'company-released:' .. company, id)
  redis.call('ZADD', P .. 'woken', NOW, ref)
  if send then
    send(company, id, e.type, e.key)
  else
    for _, value in ipairs({ company, id, e.type, e.key }) do woken[#woken + 1] = value end
  end
  return true
end

-- Fills the company's free slots with the first of its ready events (promise 6).
local function release(company)
  local now = state(company)
  while may_start(now, true) do
    local popped = redis.call('ZPOPMIN', P .. 'company-control:' .. company)
    if not popped[1] then break end
    wake(company, popped[1])
  end
  if not may_start(now, false) then return end
  local cap = now.probing and 1 or CAP
  local free = cap - redis.call('SCARD', P .. 'company-released:' .. company)
  while free > 0 do
    local popped = redis.call('ZPOPMIN', P .. 'company-ready:' .. company)
    if not popped[1] then break end
    if wake(company, popped[1]) then free = free - 1 end
  end
end

-- Sets aside an event that a caller asked for and `load` did not find, if it is known. Returns whether it is.
local function set_aside_if_known(company, id)
  if redis.call('HEXISTS', P .. 'company-keys:' .. company, id) == 0 then return false end
  set_aside(company, id)
  release(company)
  return true
end

-- Makes the company rest at least until then: none of its events is released.
local function rest(company, till)
  local hash = P .. 'company:' .. company
  local current = tonumber(redis.call('HGET', hash, 'rests') or '')
  if till > NOW and (not current or till > current) then
    redis.call('HSET', hash, 'rests', int(till))
    redis.call('ZADD', P .. 'resting', till, company)
  end
end

-- Whether the holder with this fencing token still holds the event, and its lease has not lapsed (promise 1).
local function holds(e, fence)
  if not e or e.status ~= 'running' or e.fence ~= fence then return false end
  local lease = tonumber(redis.call('ZSCORE', P .. 'leases', e.ref) or '')
  return lease ~= nil and lease >= NOW
end

-- The worker of a process, whose name is `<worker>/<process>`; nil where the process is of no worker that is known to live.
local function worker_of(process)
  local worker = string.match(process, '^(.+)/[^/]*$')
  return worker and redis.call('ZSCORE', P .. 'workers', worker) and worker
end

-- Frees what the process claimed last, if it still holds that. `orphaned(e)` does it.
local function free(process, ref, orphaned)
  local e = load(split(ref))
  if e and e.status == 'running' and e.holder == process then
    orphaned(e)
    return e
  end
end

-- A worker takes an event that is released: the first of its key, with everything that it needs through.
-- Returns { fence, type, key, attempts, body, progress as a flat list, accepted, company, id } or { 0, why }.
local function claim(company, id, lease, process, nonce)
  local e = load(company, id)
  if not e then
    set_aside_if_known(company, id)
    return { 0, 'unknown' }
  end
  if e.status ~= 'ready' or redis.call('SISMEMBER', P .. 'company-released:' .. company, id) == 0 then
    return { 0, e.status }
  end
  local now = state(company)
  local crowd = now.probing and redis.call('SCARD', P .. 'company-released:' .. company) > 1
  if not may_start(now, e.control) or crowd then
    redis.call('HDEL', e.hash, 'wakes')
    ready(e) -- gives its slot back: the company rests, or another probe is out
    return { 0, 'resting' }
  end

  local worker = worker_of(process)
  if worker then
    local before = redis.call('HGET', P .. 'worker:' .. worker, process)
    local left = before and free(process, before, ready) -- it holds one event at a time: the answer to that claim was lost
    if left then release(left.company) end
    redis.call('HSET', P .. 'worker:' .. worker, process, e.ref)
  end
  local body, progress = redis.call('GET', P .. 'body:' .. e.ref), redis.call('HGETALL', P .. 'progress:' .. e.ref)
  -- After the loss of the latest writes the counter gives a number again: the nonce tells the two claims apart.
  local fence = int(redis.call('INCR', P .. 'fences')) .. '-' .. nonce
  move(e, 'running', { 'fence', fence, 'claimed', int(NOW), 'started', 1, 'wakes', 0, 'holder', process })
  redis.call('ZADD', P .. 'leases', NOW + tonumber(lease), e.ref)
  local accepted = redis.call('HGET', e.hash, 'accepted') or int(NOW)
  return { fence, e.type, e.key, e.attempts, body or '', progress, accepted, company, id }
end
