-- Which jobs still stand in their queue. A job hash that says "queued" without a place in the queue was popped by a
-- worker that died before it claimed the attempt; its hash is removed so that the job can be created again.
-- ARGV: per job: id, queue
-- Returns the ids that are queued.
local queued = {}
for i = 1, #ARGV, 2 do
  local id, queue = ARGV[i], ARGV[i + 1]
  if redis.call('LPOS', 'rq:queue:' .. queue, id) then
    queued[#queued + 1] = id
  else
    redis.call('DEL', 'rq:job:' .. id)
  end
end
return queued
