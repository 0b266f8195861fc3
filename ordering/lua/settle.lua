-- Applies the outcome of a transfer, and releases what becomes ready.
--
-- ARGV[4] company   [5] id   [6] fence   [7] outcome   [8] reason   [9] remedy   [10] code
-- ARGV[11] retry, unavailable, snooze: due in this many ms; release: the company rests this many ms, or ""
-- ARGV[12] held: the ordering key it waits for   [13] done, held: "1" to report it to a person
-- ARGV[14] unavailable: how many in a row open the breaker   [15] first rest, ms   [16] longest rest, ms
-- ARGV[17] done: "1" if something was left out and a person may retry it
-- ARGV[18] the target's own words, or ""   [19] the reason in English
-- ARGV[20] done: the target's number of what was made of it, or ""   [21] its voucher, or ""
-- ARGV[22] name of the process that then takes the next wake-up off the queue and claims its event, or ""
-- ARGV[23] lease of that claim, ms   [24] its nonce
-- outcome: done | failed | skipped | superseded | retry | held | release | snooze | unavailable | pause
-- returns { 1 settled | 0 the event is not this holder's, woken, what `claim` returned for the next event, if any }

follow_clock()
local company, outcome, reason = ARGV[4], ARGV[7], ARGV[8]
local e = load(company, ARGV[5])
if not holds(e, ARGV[6]) then return { 0, woken } end

sentences[reason] = ARGV[19]
local base = P .. 'company:' .. company
local why = { 'reason', reason, 'remedy', ARGV[9], 'code', ARGV[10], 'said', ARGV[18] }

local function charge()
  for _, value in ipairs({ 'attempts', e.attempts + 1 }) do why[#why + 1] = value end
end

local function retry_in(delay)
  move(e, 'retrying', why)
  redis.call('ZADD', P .. 'due', NOW + delay, e.ref)
end

-- The target did not answer. Several such outcomes in a row, of more than one event, open the breaker: the company
-- rests, then one event at a time probes the target. A failed probe is not counted as an attempt; the next probe is
-- another event while that one waits. Transfers that were running when the company began to rest do not count either.
local function unavailable()
  local resting = redis.call('HEXISTS', base, 'rests') == 1
  local probing = redis.call('HEXISTS', base, 'probing') == 1
  if not probing and not resting then charge() end
  retry_in(tonumber(ARGV[11]))
  if resting or (not probing and redis.call('HGET', base, 'troubled') == e.id) then return end
  redis.call('HSET', base, 'troubled', e.id)
  local over = redis.call('HINCRBY', base, 'troubles', 1) - tonumber(ARGV[14])
  if over >= 0 then
    redis.call('HSET', base, 'probing', 1)
    rest(company, NOW + math.min(tonumber(ARGV[15]) * 2 ^ math.min(over, 20), tonumber(ARGV[16])))
  end
end

redis.call('HDEL', e.hash, 'crashes', 'lapses')
if ARGV[13] == '1' and outcome == 'done' then report(e.ref) end
if outcome == 'unavailable' then
  unavailable()
elseif outcome == 'release' then
  ready(e, why)
  if ARGV[11] ~= '' then rest(company, NOW + tonumber(ARGV[11])) end
elseif outcome == 'snooze' then
  redis.call('HDEL', e.hash, 'attempts')
  retry_in(tonumber(ARGV[11]))
elseif outcome == 'pause' then
  if redis.call('HSETNX', base, 'paused', reason) == 1 then report(company .. ':') end
  if e.control then -- it would run again and again while its company is paused
    finish(e, 'failed', reason, why)
  else
    ready(e, why)
  end
else
  charge()
  redis.call('HDEL', base, 'troubles', 'troubled', 'probing')
  if outcome == 'retry' then
    retry_in(tonumber(ARGV[11]))
  elseif outcome == 'held' then
    local done_at = tonumber(redis.call('HGET', P .. 'key:' .. ARGV[12], 'done_at') or '')
    if done_at and (done_at >= e.claimed or e.claimed > NOW) then -- the key went through meanwhile: the event must not wait for it again
      move(e, 'waiting', why)
    else
      hold_refused(e, ARGV[12], why)
      if ARGV[13] == '1' then report(e.ref) end
    end
    advance(e.key, company) -- to this event, or to an earlier one that was retried while this one ran
  else
    e.again = ARGV[17] == '1'
    if ARGV[20] ~= '' then redis.call('HSET', e.hash, 'document', ARGV[20], 'voucher', ARGV[21]) end
    finish(e, outcome, reason, why)
  end
end
release(company)

-- The oldest message of the queue is what any idle process would get: nobody is passed over.
local function claim_next()
  for _ = 1, 5 do -- messages may be out of date
    local of_company, id = take(e.type)
    if not of_company then return nil end
    local claimed = claim(of_company, id, ARGV[23], ARGV[22], ARGV[24])
    if claimed[1] ~= 0 then return claimed end
  end
end
return { 1, woken, take and ARGV[22] ~= '' and claim_next() or nil }
