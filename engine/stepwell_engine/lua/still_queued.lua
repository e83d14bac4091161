-- Which jobs still stand in their queue, or lie in the hands of a worker that lives (rq:stepwell:hands:<queue>:<worker>,
-- the worker's private front of the queue). A job hash that says "queued" and is in neither was popped by a worker that
-- died before it claimed the attempt; its hash is removed so that the job can be created again.
-- ARGV: per job: id, queue
-- Returns the ids that are queued.
local function in_hand(id, queue)
  for _, worker in ipairs(redis.call('SMEMBERS', 'rq:stepwell:handed:' .. queue)) do
    local hands = 'rq:stepwell:hands:' .. queue .. ':' .. worker
    if redis.call('LPOS', hands, id) then
      local key = 'rq:worker:' .. worker
      if redis.call('EXISTS', key) == 1 and redis.call('HEXISTS', key, 'death') == 0 then
        return true
      end
      redis.call('LREM', hands, 0, id)
    end
  end
  return false
end

local queued = {}
for i = 1, #ARGV, 2 do
  local id, queue = ARGV[i], ARGV[i + 1]
  if redis.call('LPOS', 'rq:queue:' .. queue, id) or in_hand(id, queue) then
    queued[#queued + 1] = id
  else
    redis.call('DEL', 'rq:job:' .. id)
  end
end
return queued
