-- Asks for an import. An import under way that reaches as far back suffices; one that does not starts over.
--
-- KEYS[1] state hash
-- ARGV[1] field   [2] the new listing, JSON
-- returns 1, or 0 if the import under way suffices

local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and cjson.decode(found).days >= cjson.decode(ARGV[2]).days then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
