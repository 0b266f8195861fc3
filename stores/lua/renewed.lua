-- Stores a renewed pair. The renewed version fences: a process that slept past its lease overwrites nothing newer. Its
-- pair may still be the one that works (of two simultaneous refreshes only the last issued does), so it is kept in
-- reserve; if the newer pair was found dead, it replaces that.
--
-- KEYS[1], [2] as in begin.lua
-- ARGV[1] company   [2] grant   [3] generation   [4] tokens, sealed   [5] lifetime, ms   [6] renewed ahead, ms
-- ARGV[7] "1" when there is a refresh token
-- returns "kept" | "revived" (the grant was believed dead) | "spare" | "gone" (another consent, or none any more)

local f = redis.call('HMGET', KEYS[1], 'grant', 'generation', 'tokens', 'dead')
if f[1] ~= ARGV[2] or not f[3] then return 'gone' end
if f[2] ~= ARGV[3] and not f[4] then
  redis.call('HSET', KEYS[1], 'spare', ARGV[4])
  return 'spare'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function at(ms) return string.format('%.0f', now + ms) end
redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('HSET', KEYS[1], 'tokens', ARGV[4], 'expires_at', at(ARGV[5]), 'renew_at', at(ARGV[5] - ARGV[6]))
redis.call('HDEL', KEYS[1], 'spare', 'dead')
if ARGV[7] == '1' then
  redis.call('ZADD', KEYS[2], now, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return f[4] and 'revived' or 'kept'
