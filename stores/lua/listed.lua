-- Stores how far a listing has come, or ends it, unless another listing replaced it while its page was read.
--
-- KEYS[1] state hash
-- ARGV[1] field   [2] the listing's id   [3] the listing now, JSON; "" to end it
-- ARGV[4] when it ends: the new cursor, every change before which is listed; "" to leave it
-- returns 1, or 0 with nothing changed if another listing is in its place

local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and cjson.decode(found).id ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
  if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'cursor', ARGV[4]) end
end
return 1
