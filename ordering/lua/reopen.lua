-- Tries again the events that the target refused because of this key, as if an event of the key had gone through: the
-- cause is gone for another reason.
--
-- ARGV[4] company   [5] ordering key
-- returns { 1, woken }

follow_clock()
local company, key = ARGV[4], ARGV[5]
redis.call('HSET', P .. 'key:' .. key, 'done_at', int(NOW))
redis.call('PEXPIRE', P .. 'key:' .. key, KEEP)
sweep(key)
release(company)
return { 1, woken }
