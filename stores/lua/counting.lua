-- Put before the scripts of connections.
--
-- A number that this field never had, even where the latest writes were lost: the next one, or the time if that is more.
local function next_of(field)
  local time = redis.call('TIME')
  local counted = tonumber(redis.call('HGET', KEYS[1], field) or '0') + 1
  return string.format('%.0f', math.max(counted, time[1] * 1000 + math.floor(time[2] / 1000)))
end

