-- Marks reports as told to a person, unless they were made again since they were read.
--
-- ARGV[4…] for each: ref, and its time as read, or "" for any
-- returns how many were marked

local taken = 0
for at = 4, #ARGV, 2 do
  if ARGV[at + 1] == '' or redis.call('ZSCORE', P .. 'reports', ARGV[at]) == ARGV[at + 1] then
    taken = taken + redis.call('ZREM', P .. 'reports', ARGV[at])
  end
end
return taken
