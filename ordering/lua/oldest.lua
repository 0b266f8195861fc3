-- When a company's oldest event under way was accepted. Held events wait for a person and are passed over. Changes
-- nothing.
--
-- ARGV[4] company   [5] how many open events it may look at
-- returns ms | "" when nothing is under way
--
-- If all of those are held, it returns the time of the last: every event under way is younger.

local company, most = ARGV[4], tonumber(ARGV[5])
local under_way = 0
for _, n in ipairs(redis.call('HMGET', P .. 'company:' .. company, 'n:waiting', 'n:ready', 'n:running', 'n:retrying')) do
  under_way = under_way + (tonumber(n) or 0)
end
if under_way == 0 then return '' end

local accepted = ''
local open = redis.call('ZRANGE', P .. 'company-open:' .. company, 0, most - 1, 'WITHSCORES')
for i = 1, #open, 2 do
  accepted = int(tonumber(open[i + 1]))
  if redis.pcall('HGET', P .. 'event:' .. company .. ':' .. open[i], 'status') ~= 'held' then break end
end
return accepted
