-- A new consent: its tokens take the place of whatever was there, and no renewal of an older one can change them.
--
-- KEYS[1] connection hash   [2] refreshed: sorted set company → when its refresh token was last exchanged, ms
-- ARGV[1] company   [2] connection, JSON   [3] tokens, sealed   [4] their lifetime, ms   [5] renewed this long
--         before its end, ms   [6] "1" when there is a refresh token to keep alive

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function at(ms) return string.format('%.0f', now + ms) end
redis.call('HINCRBY', KEYS[1], 'grant', 1)
redis.call('HDEL', KEYS[1], 'spare', 'dead')
redis.call('HSET', KEYS[1], 'connection', ARGV[2], 'tokens', ARGV[3], 'generation', 0,
  'expires_at', at(ARGV[4]), 'renew_at', at(ARGV[4] - ARGV[5]))
if ARGV[6] == '1' then
  redis.call('ZADD', KEYS[2], now, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
