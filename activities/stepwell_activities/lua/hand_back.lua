-- Put what is in a worker's hands back at the head of its queue.
-- KEYS[1] the queue's list  KEYS[2] the worker's hands (list)  KEYS[3] the queue's set of workers that may have hands
-- ARGV: the worker's name where it is to leave the set, else ""; then ids in their order (none: all that is in hand)
-- Returns how many went back. A job whose hash is gone is only dropped. What is named was left by a worker that is gone,
-- perhaps by the body's own doing: it is marked `left`, so that it is claimed before its body begins again, and another
-- death is the engine's to count.
local ids, first = ARGV, 2
if #ARGV == 1 then
  ids, first = redis.call('LRANGE', KEYS[2], 0, -1), 1
end
local back = 0
for i = #ids, first, -1 do
  if redis.call('LREM', KEYS[2], 1, ids[i]) == 1 and redis.call('EXISTS', 'rq:job:' .. ids[i]) == 1 then
    redis.call('LPUSH', KEYS[1], ids[i])
    if #ARGV > 1 then
      redis.call('HSET', 'rq:job:' .. ids[i], 'left', '1')
    end
    back = back + 1
  end
end
if ARGV[1] ~= '' and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SREM', KEYS[3], ARGV[1])
end
return back
