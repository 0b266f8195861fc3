-- Forgets some of the events of a company that were settled up to a time, oldest first. An ordering key under which
-- nothing is left is forgotten with them.
--
-- ARGV[4] company   [5] up to this time, ms   [6] how many at most
-- returns how many were forgotten; 0: none is left

local company, n = ARGV[4], 0
for _, status in ipairs({ 'done', 'superseded', 'skipped' }) do
  local set = P .. 'company-' .. status .. ':' .. company
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', ARGV[5], 'LIMIT', 0, ARGV[6])) do
    local ref = company .. ':' .. id
    local key = redis.call('HGET', P .. 'event:' .. ref, 'key')
    redis.call('ZREM', set, id)
    redis.call('DEL', P .. 'event:' .. ref, P .. 'body:' .. ref, P .. 'progress:' .. ref)
    if key then
      redis.call('ZREM', P .. 'key-settled:' .. key, id)
      if redis.call('EXISTS', P .. 'key-line:' .. key, P .. 'key-failed:' .. key, P .. 'key-settled:' .. key) == 0 then
        redis.call('DEL', P .. 'key:' .. key)
      end
    end
    n = n + 1
  end
end
return n
