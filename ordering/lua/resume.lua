-- Lets the company go on: forgets its pause, its rest and its breaker.
--
-- ARGV[4] company
-- returns { 1, woken }

follow_clock()
local company = ARGV[4]
redis.call('HDEL', P .. 'company:' .. company, 'paused', 'rests', 'troubles', 'troubled', 'probing')
redis.call('ZREM', P .. 'resting', company)
release(company)
return { 1, woken }
