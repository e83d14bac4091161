-- Gives an attempt back that its worker has not begun: as if it had never been claimed.
-- KEYS     1 attempts, 2 claims, 3 deadlines
-- ARGV     1 token, 2 worker, 3 new dispatch deadline in ms
-- Returns  1, or 0 when it was not this worker's or is reported
local held = redis.call('HGET', KEYS[2], ARGV[1])
if not held then
  return 0
end
local reported, worker = string.match(held, '^%d+ %d+ (%S+) (.*)$')
if worker ~= ARGV[2] or reported ~= '-' then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('ZADD', KEYS[3], 'XX', ARGV[3], ARGV[1])
end
return 1
