-- Extends the holder's claim by another lease. The process is at work, so its worker lives.
--
-- ARGV[4] company   [5] id   [6] fence   [7] lease, ms   [8] for how long its worker lives by that, ms
-- returns 1, or 0 if the event is no longer this holder's

follow_clock()
local e = load(ARGV[4], ARGV[5])
if not holds(e, ARGV[6]) then return 0 end
redis.call('ZADD', P .. 'leases', NOW + tonumber(ARGV[7]), e.ref)
local worker = e.holder and worker_of(e.holder)
if worker then redis.call('ZADD', P .. 'workers', 'GT', NOW + tonumber(ARGV[8]), worker) end
return 1
