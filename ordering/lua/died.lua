-- Frees an event whose process has died, without waiting for its lease to lapse.
--
-- ARGV[4] company   [5] id: of the event that it was woken for   [6] name of the process, as given to claim.lua
-- ARGV[7] after how many deaths in a row the event fails
-- returns { 1 | 0 the process held no event, woken }

follow_clock()
local worker = worker_of(ARGV[6])
local ref = worker and redis.call('HGET', P .. 'worker:' .. worker, ARGV[6]) or ARGV[4] .. ':' .. ARGV[5]
if worker then redis.call('HDEL', P .. 'worker:' .. worker, ARGV[6]) end
local e = free(ARGV[6], ref, function(held) orphan(held, 'crashes', tonumber(ARGV[7]), 'engine.process-died') end)
if e then release(e.company) end
return { e and 1 or 0, woken }
