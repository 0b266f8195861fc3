-- The newest events of some indices, of some companies or all. Changes nothing. One call looks at a limited number of
-- events, so that Redis is not blocked; the next call continues where it stopped.
--
-- ARGV[4] companies, separated by spaces, or "" for all   [5] names of the company's indices, separated by spaces: done, failed, open …
-- ARGV[6] from, ms, or "-inf"   [7] up to and including, ms, or "+inf"   [8] how many
-- ARGV[9] only with this status, or ""   [10] only with a code of these words, or ""   [11] how many events it may look at
-- ARGV[12] company and [13] id of the last event looked at, whose time is ARGV[7]; "" to begin
-- returns { number looked at, time, company and id of the last of them ("" when none is left),
--   flat list of company, id, time }
--
-- Newest first. Within one millisecond by company, then by id descending, as Redis orders members.

local CHUNK = 64 -- most entries read of an index at a time; the first read takes one, which mostly is enough
local from, till, most, status, code = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9], ARGV[10]
local left, last_company, last_id = tonumber(ARGV[11]), ARGV[12], ARGV[13]

-- Bytewise, as Redis orders members. Lua's own comparison depends on the server's locale.
local function less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Reads more of an index, twice as much each time: from score `max`, of which `skip` entries are read already.
local function read(one)
  local some = redis.pcall('ZREVRANGEBYSCORE', one.set, one.max, from, 'WITHSCORES', 'LIMIT', one.skip, one.count)
  if some.err then some = {} end -- a damaged index hides its own events alone
  one.items, one.pos, one.count = some, 1, math.min(2 * one.count, CHUNK)
  if not some[1] then return end
  local score, same = some[#some], 0
  for i = #some, 2, -2 do
    if some[i] ~= score then break end
    same = same + 1
  end
  one.skip = score == one.max and one.skip + same or same
  one.max = score
end

-- Moves on to the next entry of the index. False when there is none.
local function next_head(one)
  if one.pos > #one.items then read(one) end
  if one.pos > #one.items then return false end
  one.id, one.score, one.time = one.items[one.pos], one.items[one.pos + 1], tonumber(one.items[one.pos + 1])
  one.pos = one.pos + 2
  return true
end

local function before(a, b)
  if a.time ~= b.time then return a.time > b.time end
  if a.company ~= b.company then return less(a.company, b.company) end
  return less(b.id, a.id)
end

-- A heap of the indices, by their current entry.
local heap = {}

local function sink(at)
  local one = heap[at]
  while true do
    local child = 2 * at
    if child > #heap then break end
    if child < #heap and before(heap[child + 1], heap[child]) then child = child + 1 end
    if not before(heap[child], one) then break end
    heap[at] = heap[child]
    at = child
  end
  heap[at] = one
end

-- Whether the company has any event with that status.
local function has_any(company)
  if status == '' then return true end
  local n = redis.pcall('HGET', P .. 'company:' .. company, 'n:' .. status)
  return type(n) == 'string' and (tonumber(n) or 0) > 0
end

local function add(company)
  local going_on = last_company ~= '' and company == last_company
  local max = last_company ~= '' and less(company, last_company) and '(' .. till or till
  for name in string.gmatch(ARGV[5], '%S+') do
    local one = { company = company, set = P .. 'company-' .. name .. ':' .. company, max = max, skip = 0,
      items = {}, pos = 1, count = 1 }
    local has = next_head(one)
    while has and going_on and one.score == till and not less(one.id, last_id) do has = next_head(one) end
    if has then heap[#heap + 1] = one end
  end
end

local companies = {}
for company in string.gmatch(ARGV[4], '%S+') do companies[#companies + 1] = company end
for _, company in ipairs(ARGV[4] ~= '' and companies or redis.call('SMEMBERS', P .. 'companies')) do
  if has_any(company) then add(company) end
end
for at = math.floor(#heap / 2), 1, -1 do sink(at) end

-- A code is a situation and a number, or one of them: `period-locked 2000401`.
local function has_words(text)
  for word in string.gmatch(code, '%S+') do
    if not string.find(' ' .. text .. ' ', ' ' .. word .. ' ', 1, true) then return false end
  end
  return true
end

local function fits(company, id)
  if status == '' and code == '' then return true end
  local f = redis.pcall('HMGET', P .. 'event:' .. company .. ':' .. id, 'status', 'code')
  return (status == '' or f[1] == status) and (code == '' or has_words(f[2] or ''))
end

local answer, looked = { 0, '', '', '' }, 0
while heap[1] and most > 0 and left > 0 do
  local one = heap[1]
  looked, left = looked + 1, left - 1
  if fits(one.company, one.id) then
    for _, value in ipairs({ one.company, one.id, one.score }) do answer[#answer + 1] = value end
    most = most - 1
  end
  answer[2], answer[3], answer[4] = one.score, one.company, one.id
  if not next_head(one) then
    heap[1] = heap[#heap]
    heap[#heap] = nil
  end
  if heap[1] then sink(1) end
end
answer[1] = looked
if not heap[1] then answer[2], answer[3], answer[4] = '', '', '' end
return answer
