-- Gives up an event that is not running, at a person's request. What waited for it goes on. Why it had failed or waited
-- is kept in the field `before`. One that cannot be read is set aside.
--
-- ARGV[4] company   [5] id   [6] reason   [7] the same in English
-- returns { 1 skipped | 0 it is running or settled, woken }

follow_clock()
local e = load(ARGV[4], ARGV[5])
if not e then return { set_aside_if_known(ARGV[4], ARGV[5]) and 1 or 0, woken } end
if e.status == 'running' or e.status == 'done' or e.status == 'superseded' or e.status == 'skipped' then
  return { 0, woken }
end
sentences[ARGV[6]] = ARGV[7]
local before = redis.call('HGET', e.hash, 'reason')
finish(e, 'skipped', ARGV[6], before and before ~= '' and { 'before', before } or {})
redis.call('ZREM', P .. 'reports', e.ref) -- no longer to be reported
release(e.company)
return { 1, woken }
