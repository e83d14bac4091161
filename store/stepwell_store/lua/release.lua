-- Gives a partition up, if it is ours.
-- KEYS     1 lease, 2 meta
-- ARGV     1 owner
-- Returns  1 when it was ours, else 0
if redis.call('HGET', KEYS[2], 'owner') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[2], 'owner')
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
