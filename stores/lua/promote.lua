-- Replaces this version, which Fortnox refused, by the pair kept in reserve, which is due for renewal at once.
--
-- KEYS[1] connection hash
-- ARGV[1] grant   [2] generation
-- returns 1, or 0 if there is no such pair or the version is another now

local f = redis.call('HMGET', KEYS[1], 'grant', 'generation', 'spare')
if f[1] ~= ARGV[1] or f[2] ~= ARGV[2] or not f[3] then return 0 end
redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('HSET', KEYS[1], 'tokens', f[3], 'renew_at', 0, 'expires_at', 0)
redis.call('HDEL', KEYS[1], 'spare')
return 1
