-- The company's events wait (control events do not) until it is resumed.
--
-- ARGV[4] company   [5] reason
-- returns 1, or 0 when it was paused already

return redis.call('HSETNX', P .. 'company:' .. ARGV[4], 'paused', ARGV[5])
