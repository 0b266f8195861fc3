-- Settled events as the engine leaves them: put behind worker/ordering/lua/common.lua, so that its own `finish` files them.
--
-- ARGV[4] companies   [5] number of the first event   [6] how many

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
  finish(load(company, id), status, status == 'failed' and 'The customer has no address.' or '')
end
return count
