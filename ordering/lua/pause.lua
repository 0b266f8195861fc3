-- The company's events wait (control events do not) until it is resumed; a person is told.
--
-- ARGV[4] company   [5] reason
-- returns 1, or 0 when it was paused already

local paused = redis.call('HSETNX', P .. 'company:' .. ARGV[4], 'paused', ARGV[5])
if paused == 1 then report(ARGV[4] .. ':') end
return paused
