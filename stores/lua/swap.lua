-- Replaces a value, if it is still the old one.
--
-- KEYS[1] key: a hash, or text   ARGV[1] field of the hash, or ""   [2] the old value   [3] the new one
-- returns 1, or 0 if the value is another now

if ARGV[1] == '' then
  if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
  redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL')
else
  if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
