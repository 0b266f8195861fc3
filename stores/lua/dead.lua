-- Marks this version's grant as dead, so that Fortnox is not asked again.
--
-- KEYS[1], [2] as in begin.lua
-- ARGV[1] company   [2] grant   [3] generation
-- returns 1, or 0 if the version is another now, or a pair kept in reserve is to be tried first

local f = redis.call('HMGET', KEYS[1], 'grant', 'generation', 'spare')
if f[1] ~= ARGV[2] or f[2] ~= ARGV[3] or f[3] then return 0 end
redis.call('HSET', KEYS[1], 'dead', 1)
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
