-- An import is asked for. One under way that reaches as far does for it; one that reaches less far starts over.
--
-- KEYS[1] state hash
-- ARGV[1] field   [2] the new listing, JSON
-- returns 1, or 0 when the one under way goes on

local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and cjson.decode(found).days >= cjson.decode(ARGV[2]).days then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
