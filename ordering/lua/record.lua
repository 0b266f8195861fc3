-- The holder records a step that it has taken, so that whoever comes after it does not take it again.
--
-- ARGV[4] company   [5] id   [6] fence   [7] step   [8] value
-- returns 1, or 0 when the event is no longer this holder's

local e = load(ARGV[4], ARGV[5])
if not holds(e, ARGV[6]) then return 0 end
redis.call('HSET', P .. 'progress:' .. e.ref, ARGV[7], ARGV[8])
return 1
