-- The newest events of some indices, over one company or all. Changes nothing.
--
-- ARGV[4] company, or "" for all   [5] names of the company's indices, separated by spaces: done, failed, open …
-- ARGV[6] from, ms, or "-inf"   [7] up to and including, ms, or "+inf"   [8] how many
-- ARGV[9] only in this status, or ""   [10] only with this code, or "": each event of the indices is looked at then
-- returns a flat list of company, id, time, newest first
--
-- An index is read only as far as its newest can be among those wanted, so thousands of companies cost a look each.

local till, most, status, code = ARGV[7], tonumber(ARGV[8]), ARGV[9], ARGV[10]
local companies = ARGV[4] ~= '' and { ARGV[4] } or redis.call('SMEMBERS', P .. 'companies')
local sets = {}
for _, company in ipairs(companies) do
  for name in string.gmatch(ARGV[5], '%S+') do
    local set = P .. 'company:' .. company .. ':' .. name
    local newest = redis.call('ZREVRANGEBYSCORE', set, till, ARGV[6], 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if newest then sets[#sets + 1] = { company = company, set = set, newest = tonumber(newest) } end
  end
end
table.sort(sets, function(a, b) return a.newest > b.newest end)

local function fits(company, id)
  if status == '' and code == '' then return true end
  local f = redis.call('HMGET', P .. 'event:' .. company .. ':' .. id, 'status', 'code')
  return (status == '' or f[1] == status) and (code == '' or f[2] == code)
end

-- Up to `most` of a set that fit, newest first, appended to `found`.
local function read(one, from, found)
  local offset, left = 0, most
  while left > 0 do
    local some = redis.call('ZREVRANGEBYSCORE', one.set, till, from, 'WITHSCORES', 'LIMIT', offset, most)
    for i = 1, #some, 2 do
      if left > 0 and fits(one.company, some[i]) then
        found[#found + 1] = { time = tonumber(some[i + 1]), company = one.company, id = some[i] }
        left = left - 1
      end
    end
    offset = offset + most
    if #some < 2 * most then break end
  end
end

local found, from = {}, ARGV[6]
for _, one in ipairs(sets) do
  if #found == most and found[most].time > one.newest then break end
  read(one, from, found)
  table.sort(found, function(a, b) return a.time > b.time end)
  for i = #found, most + 1, -1 do found[i] = nil end
  if #found == most then from = int(found[most].time) end
end

local answer = {}
for _, one in ipairs(found) do
  answer[#answer + 1] = one.company
  answer[#answer + 1] = one.id
  answer[#answer + 1] = int(one.time)
end
return answer
