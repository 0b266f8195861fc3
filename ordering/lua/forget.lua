-- Forgets a company: all its events that are open or failed, its counts and its pauses, in one step, so that an event that
-- arrives meanwhile is either refused to be forgotten or accepted anew. What is settled is left to forget_settled.lua.
--
-- ARGV[4] company   [5] how many open and failed events the caller has seen
-- returns 1, or 0 and nothing is changed: an event is ready, running or retrying, or others came or went

local company = ARGV[4]
local counts = redis.call('HMGET', P .. 'company:' .. company, 'n:ready', 'n:running', 'n:retrying')
for _, n in ipairs(counts) do
  if (tonumber(n or '') or 0) > 0 then return 0 end
end
local ids = redis.call('HGETALL', P .. 'company-keys:' .. company)
if #ids / 2 ~= tonumber(ARGV[5]) then return 0 end
for at = 1, #ids, 2 do
  local ref, key = company .. ':' .. ids[at], ids[at + 1]
  redis.call('DEL', P .. 'event:' .. ref, P .. 'body:' .. ref, P .. 'progress:' .. ref, P .. 'key:' .. key)
  for _, set in ipairs({ 'line', 'failed', 'settled', 'waiters', 'held', 'refused' }) do
    redis.call('DEL', P .. 'key-' .. set .. ':' .. key)
  end
  redis.call('SREM', P .. 'unblocked', key)
  redis.call('ZREM', P .. 'reports', ref)
end
redis.call('ZREM', P .. 'reports', company .. ':')
redis.call('ZREM', P .. 'resting', company)
for _, set in ipairs({ '', '-ready', '-control', '-released', '-held', '-open', '-failed', '-keys' }) do
  redis.call('DEL', P .. 'company' .. set .. ':' .. company)
end
redis.call('SREM', P .. 'companies', company)
return 1
