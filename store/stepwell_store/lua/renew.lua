-- Extends a lease that is ours. One that ran out without anyone taking the partition is still ours: its epoch is.
-- KEYS     1 lease, 2 meta
-- ARGV     1 owner, 2 lease in ms
-- Returns  1 when it is ours, else 0
local holder = redis.call('GET', KEYS[1]) or redis.call('HGET', KEYS[2], 'owner')
if holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
