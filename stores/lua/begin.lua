-- Stores a new consent. Its tokens replace any others, and no renewal of an older grant can change them. If the
-- connection was changed since it was read, nothing is stored.
--
-- KEYS[1] connection hash   [2] refreshed: sorted set company → when its refresh token was last exchanged, ms
-- ARGV[1] company   [2] revision   [3] connection, JSON   [4] tokens, sealed   [5] their lifetime, ms
-- ARGV[6] renewed this long before its end, ms   [7] "1" when there is a refresh token to keep alive
-- returns 1, or 0 if the revision is another now

if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function at(ms) return string.format('%.0f', now + ms) end
redis.call('HSET', KEYS[1], 'grant', next_of('grant'), 'revision', next_of('revision'))
redis.call('HDEL', KEYS[1], 'spare', 'dead')
redis.call('HSET', KEYS[1], 'connection', ARGV[3], 'tokens', ARGV[4], 'generation', 0,
  'expires_at', at(ARGV[5]), 'renew_at', at(ARGV[5] - ARGV[6]))
if ARGV[7] == '1' then
  redis.call('ZADD', KEYS[2], now, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
