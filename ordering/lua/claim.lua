-- A worker takes an event that is released: the first of its key, with everything that it needs through.
--
-- ARGV[4] company   [5] id   [6] lease, ms   [7] name of the process, for died.lua
-- returns { fence, type, key, attempts, body, progress as a flat list, accepted } or { 0, why, woken }

local company, id = ARGV[4], ARGV[5]
local e = load(company, id)
if not e then
  set_aside_if_known(company, id)
  return { 0, 'unknown', woken }
end
if e.status ~= 'ready' or redis.call('SISMEMBER', P .. 'company-released:' .. company, id) == 0 then
  return { 0, e.status, woken }
end
local now = state(company)
local crowd = now.probing and redis.call('SCARD', P .. 'company-released:' .. company) > 1
if not may_start(now, e.control) or crowd then
  redis.call('HDEL', e.hash, 'wakes')
  ready(e) -- gives its slot back: the company rests, or another probe is out
  return { 0, 'resting', woken }
end

local body, progress = redis.call('GET', P .. 'body:' .. e.ref), redis.call('HGETALL', P .. 'progress:' .. e.ref)
local fence = redis.call('INCR', P .. 'fences')
move(e, 'running', { 'fence', fence, 'claimed', int(NOW), 'started', 1, 'wakes', 0, 'holder', ARGV[7] })
redis.call('ZADD', P .. 'leases', NOW + tonumber(ARGV[6]), e.ref)
local accepted = redis.call('HGET', e.hash, 'accepted') or int(NOW)
return { fence, e.type, e.key, e.attempts, body or '', progress, accepted }
