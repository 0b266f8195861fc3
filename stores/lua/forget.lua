-- Forgets this version's tokens. A renewal of them that is under way stores nothing.
--
-- KEYS[1], [2] as in begin.lua
-- ARGV[1] company   [2] grant   [3] generation
-- returns 1, or 0 if the version is another now

local f = redis.call('HMGET', KEYS[1], 'grant', 'generation')
if f[1] ~= ARGV[2] or f[2] ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'grant', next_of('grant'))
redis.call('HDEL', KEYS[1], 'tokens', 'spare', 'dead', 'generation', 'renew_at', 'expires_at')
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
