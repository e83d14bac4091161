-- What the server has just laid into a worker's hands, without writing anything, so that no disk is waited for.
-- Runs behind `prefixes`, the key prefix of each partition; sent right behind the BLMOVE that fills the hands.
-- KEYS[1] rq:suspended  KEYS[2] the worker's hands (list)
-- Returns {id, partition, payload} of the youngest job in hand; false unless its attempt is wanted and held by nobody,
-- and the job has never been left in the hands of a worker that was gone (hand_back.lua).
local id = redis.call('LINDEX', KEYS[2], -1)
if not id or redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
local job = redis.call('HMGET', 'rq:job:' .. id, 'partition', 'left')
local partition, left = job[1], job[2]
local prefix = partition and not left and prefixes[(tonumber(partition) or -1) + 1]
if not prefix or redis.call('HEXISTS', prefix .. 'claims', id) == 1 then
  return false
end
local payload = redis.call('HGET', prefix .. 'attempts', id)
return payload and {id, tonumber(partition), payload}
