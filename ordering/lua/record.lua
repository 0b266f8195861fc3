-- Records a step that the holder has taken, so that a later holder does not repeat it.
--
-- ARGV[4] company   [5] id   [6] fence   [7] step   [8] value
-- returns 1, or 0 if the event is no longer this holder's

local e = load(ARGV[4], ARGV[5])
if not holds(e, ARGV[6]) then return 0 end
redis.call('HSET', P .. 'progress:' .. e.ref, ARGV[7], ARGV[8])
return 1
