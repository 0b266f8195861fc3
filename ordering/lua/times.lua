-- The times in some companies' indices, oldest first. Changes nothing.
--
-- ARGV[4] how many times of an index at most
-- ARGV[5] … an index (done, open …), its company, and the time after which, ms, or "-inf"; and so on
-- returns for each of them one text: its times, separated by spaces

local answer = {}
for at = 5, #ARGV, 3 do
  local after = ARGV[at + 2] == '-inf' and '-inf' or '(' .. ARGV[at + 2]
  local found = redis.call('ZRANGEBYSCORE', P .. 'company-' .. ARGV[at] .. ':' .. ARGV[at + 1], after, '+inf',
    'WITHSCORES', 'LIMIT', 0, ARGV[4])
  local times = {}
  for n = 2, #found, 2 do times[n / 2] = found[n] end
  answer[#answer + 1] = table.concat(times, ' ')
end
return answer
