-- Makes the company's events wait until it is resumed, except control events, and reports it.
--
-- ARGV[4] company   [5] reason
-- returns 1, or 0 if it was paused already

local paused = redis.call('HSETNX', P .. 'company:' .. ARGV[4], 'paused', ARGV[5])
if paused == 1 then report(ARGV[4] .. ':') end
return paused
