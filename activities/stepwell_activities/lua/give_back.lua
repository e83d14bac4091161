-- Put jobs back at the head of their queue, if the named worker still holds them.
-- KEYS[1] the queue's list  KEYS[2] its hash of taken jobs (id -> worker)
-- ARGV[1] worker name, then the ids in the order in which they were taken
-- Returns how many went back. A job whose hash is gone is only forgotten.
local back = 0
for i = #ARGV, 2, -1 do
  local id = ARGV[i]
  if redis.call('HGET', KEYS[2], id) == ARGV[1] then
    redis.call('HDEL', KEYS[2], id)
    if redis.call('EXISTS', 'rq:job:' .. id) == 1 then
      redis.call('HSET', 'rq:job:' .. id, 'status', 'queued')
      redis.call('HDEL', 'rq:job:' .. id, 'worker_name', 'started_at')
      redis.call('LPUSH', KEYS[1], id)
      back = back + 1
    end
  end
end
return back
