-- Adds an immutable version of a definition and makes it the latest.
-- KEYS     1 the definition's versions, 2 definitions, 3 catalog
-- ARGV     1 id, 2 version, 3 content hash (no spaces), 4 StoredDefinition JSON
-- Returns  "created", "unchanged" (same content) or "conflict" (other content under this version)
local known = redis.call('HGET', KEYS[1], ARGV[2])
if known then
  return string.match(known, '^%d+ (%S+) ') == ARGV[3] and 'unchanged' or 'conflict'
end
local ordinal = redis.call('HLEN', KEYS[1]) + 1
redis.call('HSET', KEYS[1], ARGV[2], string.format('%d', ordinal) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('INCR', KEYS[3])
return 'created'
