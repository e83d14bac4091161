-- Takes a partition that is free or already ours, with a new epoch that fences all earlier owners.
-- KEYS     1 lease, 2 meta, 3 timers
-- ARGV     1 owner, 2 lease in ms
-- Returns  false while another's lease lasts, else {epoch, revision, inbox, door, dispatched, next due ms}, each
--          false where it was never set
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return false
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'owner', ARGV[1])
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
local meta = redis.call('HMGET', KEYS[2], 'revision', 'inbox', 'door', 'dispatched')
local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
return {epoch, meta[1], meta[2], meta[3], meta[4], first[2] or false}
