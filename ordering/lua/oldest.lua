-- When the oldest event under way was accepted: held ones wait for a person, and are passed over. Changes nothing.
--
-- ARGV[4] company   [5] how many open events are looked at, at most
-- returns ms | "" when nothing is under way
--
-- Where as many are held, the answer is the time of the last of them: what is under way is younger, if anything.

local base, most = P .. 'company:' .. ARGV[4], tonumber(ARGV[5])
local under_way = 0
for _, n in ipairs(redis.call('HMGET', base, 'n:waiting', 'n:ready', 'n:running', 'n:retrying')) do
  under_way = under_way + (tonumber(n) or 0)
end
if under_way == 0 then return '' end

local accepted = ''
local open = redis.call('ZRANGE', base .. ':open', 0, most - 1, 'WITHSCORES')
for i = 1, #open, 2 do
  accepted = int(tonumber(open[i + 1]))
  if redis.call('HGET', P .. 'event:' .. ARGV[4] .. ':' .. open[i], 'status') ~= 'held' then break end
end
return accepted
