-- Extends a worker's lease on an attempt, and notes the activity's own sign of life.
-- KEYS     1 attempts, 2 claims, 3 deadlines
-- ARGV     1 token, 2 worker, 3 now in ms, 4 end of the lease in ms, 5 "1" with a sign of life
-- Returns  1, or 0 when the attempt is cancelled, reported or another worker's
local held = redis.call('HGET', KEYS[2], ARGV[1])
if not held or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local started, reported, worker = string.match(held, '^(%d+) %d+ (%S+) (.*)$')
if worker ~= ARGV[2] or reported ~= '-' then
  return 0
end
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
if ARGV[5] == '1' then
  redis.call('HSET', KEYS[2], ARGV[1], started .. ' ' .. ARGV[3] .. ' - ' .. worker)
end
return 1
