-- Stores a connection and keeps its tokens, if the connection is still the one that the change is based on.
--
-- KEYS[1] connection hash
-- ARGV[1] revision   [2] connection, JSON
-- returns its new revision, or 0 if the revision is another now

if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= ARGV[1] then return 0 end
local revision = next_of('revision')
redis.call('HSET', KEYS[1], 'connection', ARGV[2], 'revision', revision)
return revision
