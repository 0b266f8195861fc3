-- A worker has stopped, and its processes with it: what they still hold goes on at once.
--
-- ARGV[4] name of the worker
-- returns { how many events it held, woken }

follow_clock()
local claimed, freed = redis.call('HGETALL', P .. 'worker:' .. ARGV[4]), 0
redis.call('DEL', P .. 'worker:' .. ARGV[4])
redis.call('ZREM', P .. 'workers', ARGV[4])
for at = 1, #claimed, 2 do
  local e = free(claimed[at], claimed[at + 1], ready)
  if e then
    freed = freed + 1
    release(e.company)
  end
end
return { freed, woken }
