-- What is in the hands of all workers of a queue, and whether each lives; dead ones with empty hands are forgotten.
-- KEYS[1] the queue's set of workers that may have hands
-- ARGV[1] the queue's name  [2] the worker that looks, noted in the set; "" where it has no hands
-- Returns {worker, 1 when it lives, id...} of each whose hands are not empty.
if ARGV[2] ~= '' then
  redis.call('SADD', KEYS[1], ARGV[2])
end
local found = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local worker = 'rq:worker:' .. name
  local lives = redis.call('EXISTS', worker) == 1 and redis.call('HEXISTS', worker, 'death') == 0
  local ids = redis.call('LRANGE', 'rq:stepwell:hands:' .. ARGV[1] .. ':' .. name, 0, -1)
  if #ids > 0 then
    table.insert(ids, 1, name)
    table.insert(ids, 2, lives and 1 or 0)
    found[#found + 1] = ids
  elseif not lives and name ~= ARGV[2] then
    redis.call('SREM', KEYS[1], name)
  end
end
return found
