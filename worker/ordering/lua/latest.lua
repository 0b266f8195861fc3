-- The newest events of some indices, over one company or all. Changes nothing.
--
-- ARGV[4] company, or "" for all   [5] names of the company's indices, separated by spaces: done, failed, open …
-- ARGV[6] from, ms, or "-inf"   [7] up to and including, ms, or "+inf"   [8] how many
-- returns a flat list of company, id, time, newest first
--
-- An index is read only while its newest can be among those wanted, so thousands of companies cost one look each.

local from, till, most = ARGV[6], ARGV[7], tonumber(ARGV[8])
local companies = ARGV[4] ~= '' and { ARGV[4] } or redis.call('SMEMBERS', P .. 'companies')
local sets = {}
for _, company in ipairs(companies) do
  for name in string.gmatch(ARGV[5], '%S+') do
    local set = P .. 'company:' .. company .. ':' .. name
    local newest = redis.call('ZREVRANGEBYSCORE', set, till, from, 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if newest then sets[#sets + 1] = { company = company, set = set, newest = tonumber(newest) } end
  end
end
table.sort(sets, function(a, b) return a.newest > b.newest end)

local found = {}
for _, one in ipairs(sets) do
  if #found >= most and found[most].time > one.newest then break end
  local some = redis.call('ZREVRANGEBYSCORE', one.set, till, from, 'WITHSCORES', 'LIMIT', 0, most)
  for i = 1, #some, 2 do
    found[#found + 1] = { time = tonumber(some[i + 1]), company = one.company, id = some[i] }
  end
  table.sort(found, function(a, b) return a.time > b.time end)
  for i = #found, most + 1, -1 do found[i] = nil end
end

local answer = {}
for _, one in ipairs(found) do
  answer[#answer + 1] = one.company
  answer[#answer + 1] = one.id
  answer[#answer + 1] = int(one.time)
end
return answer
