-- A listing goes on, or is through, unless another was asked for while its page was read.
--
-- KEYS[1] state hash
-- ARGV[1] field   [2] the listing's id   [3] as it goes on, JSON; "" when it is through
-- ARGV[4] when it is through: everything that changed before is listed; "" where that is not said
-- returns 1, or 0 when another is in its place, and then nothing was changed

local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and cjson.decode(found).id ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
  if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'cursor', ARGV[4]) end
end
return 1
