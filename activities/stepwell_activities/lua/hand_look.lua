-- What is in the hands of all workers of a queue, and whether each is dead; gone ones with empty hands are forgotten.
-- One that is not in RQ's books but has not said that it ends may live: its hash ran out while it could not reach us.
-- KEYS[1] the queue's set of workers that may have hands
-- ARGV[1] the queue's name  [2] the worker that looks, noted in the set; "" where it has no hands
-- Returns {worker, 1 when it is dead, id...} of each whose hands are not empty.
if ARGV[2] ~= '' then
  redis.call('SADD', KEYS[1], ARGV[2])
end
local found = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local worker = 'rq:worker:' .. name
  local is_dead = redis.call('HEXISTS', worker, 'death') == 1
  local ids = redis.call('LRANGE', 'rq:stepwell:hands:' .. ARGV[1] .. ':' .. name, 0, -1)
  if #ids > 0 then
    table.insert(ids, 1, name)
    table.insert(ids, 2, is_dead and 1 or 0)
    found[#found + 1] = ids
  elseif (is_dead or redis.call('EXISTS', worker) == 0) and name ~= ARGV[2] then
    redis.call('SREM', KEYS[1], name)
  end
end
return found
