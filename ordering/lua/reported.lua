-- A person was told of these, or surely will be; what is newer than what was read stays to be told.
--
-- ARGV[4…] for each: ref, and the time as it was read, or "" for any
-- returns how many were taken off the list

local taken = 0
for at = 4, #ARGV, 2 do
  if ARGV[at + 1] == '' or redis.call('ZSCORE', P .. 'reports', ARGV[at]) == ARGV[at + 1] then
    taken = taken + redis.call('ZREM', P .. 'reports', ARGV[at])
  end
end
return taken
