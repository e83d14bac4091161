-- Create RQ jobs and push them to their queues; a job that exists already is left alone. Then forget jobs that have ended
-- in a worker's hands: a full memory refuses the first write of a script, so that one comes first which it must refuse.
-- Runs on RQ's Redis (RQ does not work on Redis Cluster, so the keys need no common slot).
-- Right behind a commit on the same server: only if that commit was applied.
-- KEYS: none, or the meta hash of the commit's partition
-- ARGV: the commit's token (any text without KEYS), now (RQ's timestamp text), the number of ended jobs, then (hands, id)
--       of each (0015: what the commit applied was told from there); then per job: id, queue, data, timeout in
--       seconds, description, front ("1" or "0"), partition (a field of ours: so our worker can claim as it takes)
-- Returns the number of jobs created, or -1 when the commit was not applied.
if KEYS[1] and redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return -1
end
local now = ARGV[2]
local created = 0
local first_job = 4 + 2 * tonumber(ARGV[3])
for i = first_job, #ARGV, 7 do
  local id, queue = ARGV[i], ARGV[i + 1]
  local job = 'rq:job:' .. id
  if redis.call('EXISTS', job) == 0 then
    redis.call('HSET', job, 'data', ARGV[i + 2], 'created_at', now, 'enqueued_at', now, 'origin', queue,
      'status', 'queued', 'timeout', ARGV[i + 3], 'description', ARGV[i + 4], 'result_ttl', '0',
      'failure_ttl', '86400', 'partition', ARGV[i + 6])
    redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
    if ARGV[i + 5] == '1' then
      redis.call('LPUSH', 'rq:queue:' .. queue, id)
    else
      redis.call('RPUSH', 'rq:queue:' .. queue, id)
    end
    created = created + 1
  end
end
for i = 4, first_job - 1, 2 do
  redis.call('LREM', ARGV[i], 1, ARGV[i + 1])
  redis.call('DEL', 'rq:job:' .. ARGV[i + 1])
end
return created
