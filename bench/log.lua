-- Settled events as the engine leaves them: put behind ordering/lua/common.lua, so that its own `finish` files them.
--
-- ARGV[4] companies   [5] number of the first event   [6] how many   [7] "1" when they are open instead: one in a
-- thousand waits for its next attempt, all others for that

local companies, first, count = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local start = NOW
for i = first, first + count - 1 do
  NOW = start + (i - first)
  local company, id = 'company' .. (i % companies), 'event-' .. i
  local key = company .. '/' .. (i % 3 == 0 and 'customer' or 'invoice') .. '/' .. math.floor(i / companies)
  local status = i % 500 == 7 and 'failed' or i % 50 == 3 and 'superseded' or 'done'
  redis.call('SADD', P .. 'companies', company)
  redis.call('HSET', P .. 'event:' .. company .. ':' .. id, 'status', 'waiting', 'key', key, 'needs', company .. '/integration',
    'type', 'invoice.finalized', 'place', i, 'accepted', int(NOW - 900), 'occurred', int(NOW - 2000), 'fence', i,
    'claimed', int(NOW - 500), 'started', 1, 'attempts', 1)
  if ARGV[7] == '1' then
    redis.call('ZADD', P .. 'company-open:' .. company, NOW - 900, id)
    redis.call('HSET', P .. 'company-keys:' .. company, id, key)
    if i % 1000 == 7 then
      move(load(company, id), 'retrying', { 'code', '2000433' })
    else
      redis.call('HINCRBY', P .. 'company:' .. company, 'n:waiting', 1)
    end
  else
    finish(load(company, id), status, status == 'failed' and 'The customer has no address.' or '')
  end
end
return count
