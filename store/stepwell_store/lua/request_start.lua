-- Reserves an instance's id and appends its start record to the inbox, as one act. Repeating it changes nothing.
-- KEYS     1 starts, 2 instances, 3 inbox
-- ARGV     1 instance, 2 fingerprint of the request, 3 record
-- Returns  "created", "repeated" (the same request was made before) or "conflict"
local reserved = redis.call('HGET', KEYS[1], ARGV[1])
if reserved then
  return reserved == ARGV[2] and 'repeated' or 'conflict'
end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
  return 'conflict'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('XADD', KEYS[3], '*', 'r', ARGV[3])
return 'created'
