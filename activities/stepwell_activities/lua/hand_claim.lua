-- Take a job out of a worker's hands and claim its attempt: the body takes its time.
-- Runs behind `claim`, the store's own claim.lua. A repeat (the reply was lost) answers the same.
-- KEYS[1] the worker's hands (list)  KEYS[2] the queue's hash of taken jobs (id -> worker)  KEYS[3] the worker's hash
-- KEYS[4..6] attempts, claims, deadlines of the partition
-- ARGV[1] id  [2] RQ's name of the worker  [3] now, ISO 8601  [4] the store's name of the worker  [5] now in ms
-- ARGV[6] end of the lease in ms
-- Returns 1; 0 where the job is not in hand any more or its attempt not wanted: then it is nobody's here.
local id, name = ARGV[1], ARGV[2]
if redis.call('LREM', KEYS[1], 1, id) == 0 and redis.call('HGET', KEYS[2], id) ~= name then
  return 0
end
if not claim({KEYS[4], KEYS[5], KEYS[6]}, {id, ARGV[4], ARGV[5], ARGV[6]}) then
  redis.call('HDEL', KEYS[2], id)
  redis.call('DEL', 'rq:job:' .. id)
  return 0
end
redis.call('HSET', KEYS[2], id, name)
redis.call('HSET', 'rq:job:' .. id, 'status', 'started', 'worker_name', name, 'started_at', ARGV[3])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('HSET', KEYS[3], 'state', 'busy', 'current_job', id)
end
return 1
