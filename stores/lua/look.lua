-- Compares what Redis holds with what a process remembers of it. A loss is noted once, however many processes find it.
--
-- KEYS[1] installation: hash id, made, looks, looked, epoch (stores/epoch.py), lost: the id whose loss brought this id
-- KEYS[2] losses: hash of losses, JSON, by the id lost
-- KEYS[3] tickets: the engine's counter of what was accepted
-- ARGV[1] the id that is remembered, "" for none   [2] the least looks that there must be   [3] the least tickets
-- ARGV[4] when the process last looked, ms   [5] an id, if a new one is needed
-- ARGV[6] ms without a look after which a new epoch begins
-- returns { id, looks, tickets, now ms, the loss that the process has met, or "" }

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function int(number) return string.format('%.0f', number) end

local f = redis.call('HMGET', KEYS[1], 'id', 'made', 'looks', 'looked', 'lost')
local id, made = f[1], tonumber(f[2] or '') or 0
local looks, looked = tonumber(f[3] or '') or 0, tonumber(f[4] or '') or 0
local tickets = tonumber(redis.call('GET', KEYS[3]) or '') or 0
local remembered, before = ARGV[1], tonumber(ARGV[4])
local loss, kind = '', nil
local server = redis.pcall('INFO', 'server') -- an error where this user may not ask
local uptime = type(server) == 'string' and tonumber(server:match('uptime_in_seconds:(%d+)'))
-- Nobody has looked since this server started: what it read from its disk may be a copy. A replica that was elected has
-- followed all looks.
local restarted = uptime and looked > 0 and looked < now - 1000 * (uptime + 1) -- told in whole seconds

-- The loss of this id, if it was found after this process last looked.
local function noted(lost)
  local found = redis.call('HGET', KEYS[2], lost)
  return found and tonumber(cjson.decode(found).at) >= before and found
end

if remembered ~= '' and not id then
  kind = 'emptied'
elseif remembered ~= '' and id ~= remembered then
  -- One that slept through an earlier loss remembers another id than the process that noted this one.
  loss = noted(remembered) or noted(f[5] or remembered) or ''
  if loss == '' then
    -- An id made since the last look is that of a process that started on an empty Redis.
    kind = made >= before and 'emptied' or 'replaced'
  end
elseif remembered ~= '' and (looks < tonumber(ARGV[2]) or tickets < tonumber(ARGV[3])) then
  kind = 'set-back'
end
if not id or kind == 'set-back' then
  id = ARGV[5]
  redis.call('HSET', KEYS[1], 'id', id, 'made', int(now))
end
if kind then
  local gone = kind == 'set-back' and math.max(0, tonumber(ARGV[3]) - tickets) or 0
  loss = cjson.encode({ kind = kind, at = int(now), before = int(before), back_to = int(looked), gone = int(gone) })
  redis.call('HSET', KEYS[2], remembered, loss)
  redis.call('HSET', KEYS[1], 'lost', remembered)
end
if kind or restarted or (looked > 0 and now - looked > tonumber(ARGV[6])) then
  redis.call('HSET', KEYS[1], 'epoch', int(now))
end
redis.call('HSET', KEYS[1], 'looked', int(now))
return { id, redis.call('HINCRBY', KEYS[1], 'looks', 1), tickets, int(now), loss }
