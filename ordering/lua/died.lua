-- Frees an event whose process has died, without waiting for its lease to lapse.
--
-- ARGV[4] company   [5] id   [6] name of the process, as given to claim.lua
-- ARGV[7] after how many deaths in a row the event fails
-- returns { 1 | 0 the process did not hold the event, woken }

local e = load(ARGV[4], ARGV[5])
if not e or e.status ~= 'running' or redis.call('HGET', e.hash, 'holder') ~= ARGV[6] then return { 0, woken } end
orphan(e, 'crashes', tonumber(ARGV[7]), 'engine.process-died')
release(e.company)
return { 1, woken }
