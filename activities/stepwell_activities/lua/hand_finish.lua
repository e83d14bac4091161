-- Claim the attempt of a job in hand, report its result and forget the job: all that a short body leaves to write.
-- Runs behind `claim` and `report`, the store's own claim.lua and report.lua. A repeat (the reply was lost) does nothing,
-- since the job is not in hand any more; nor does the result of a job that was put back meanwhile.
-- Nor does it matter where hand_claim.lua has taken the job already: its reply may have been lost, so that the worker
-- does not know.
-- KEYS[1] the worker's hands (list)  KEYS[2] the queue's hash of taken jobs (id -> worker)
-- KEYS[3..6] attempts, claims, deadlines, inbox of the partition  KEYS[7...] the worker's queues (lists)
-- ARGV[1] id, which is the token  [2] RQ's name of the worker  [3] the store's name of the worker
-- ARGV[4] when the body began, in ms  [5] the record  [6] end of the grace in ms
-- Returns {1 when reported, 1 when a queue of the worker has more}
local more = 0
for queue = 7, #KEYS do
  if redis.call('EXISTS', KEYS[queue]) == 1 then
    more = 1
  end
end
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
  if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
    return {0, more}
  end
  redis.call('HDEL', KEYS[2], ARGV[1])
end
claim({KEYS[3], KEYS[4], KEYS[5]}, {ARGV[1], ARGV[3], ARGV[4], ARGV[6]})
report({KEYS[3], KEYS[4], KEYS[5], KEYS[6]}, {ARGV[1], ARGV[5], ARGV[6]})
redis.call('DEL', 'rq:job:' .. ARGV[1])
return {1, more}
