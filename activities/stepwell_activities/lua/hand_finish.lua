-- Claim the attempt of a job in hand, report its result and forget the job: all that a short body leaves to write.
-- Runs behind `claim` and `report`, the store's own claim.lua and report.lua. A repeat (the reply was lost) does nothing,
-- since the job is not in hand any more; nor does the result of a job that was put back meanwhile.
-- KEYS[1] the worker's hands (list)  KEYS[2..5] attempts, claims, deadlines, inbox of the partition
-- KEYS[6...] the worker's queues (lists)
-- ARGV[1] id, which is the token  [2] the store's name of the worker  [3] when the body began, in ms  [4] the record
-- ARGV[5] end of the grace in ms
-- Returns {1 when reported, 1 when a queue of the worker has more}
local more = 0
for queue = 6, #KEYS do
  if redis.call('EXISTS', KEYS[queue]) == 1 then
    more = 1
  end
end
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
  return {0, more}
end
claim({KEYS[2], KEYS[3], KEYS[4]}, {ARGV[1], ARGV[2], ARGV[3], ARGV[5]})
report({KEYS[2], KEYS[3], KEYS[4], KEYS[5]}, {ARGV[1], ARGV[4], ARGV[5]})
redis.call('DEL', 'rq:job:' .. ARGV[1])
return {1, more}
