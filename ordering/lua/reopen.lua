-- What the target refused for this key is tried again, though no event of the key went through: it is no event's
-- doing that the cause is gone.
--
-- ARGV[4] company   [5] ordering key
-- returns { 1, woken }

local company, key = ARGV[4], ARGV[5]
redis.call('HSET', P .. 'key:' .. key, 'done_at', int(NOW))
redis.call('PEXPIRE', P .. 'key:' .. key, KEEP)
sweep(key)
release(company)
return { 1, woken }
