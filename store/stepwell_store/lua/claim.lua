-- Takes an attempt for a worker. Its own claim again (a lost reply) is a claim; so is another's whose lease ran out.
-- KEYS     1 attempts, 2 claims, 3 deadlines
-- ARGV     1 token, 2 worker, 3 now in ms, 4 end of the lease in ms
-- Returns  the payload, or false when the attempt is not wanted, reported, or held by another
local payload = redis.call('HGET', KEYS[1], ARGV[1])
if not payload then
  return false
end
local held = redis.call('HGET', KEYS[2], ARGV[1])
local mine = false
if held then
  local reported, worker = string.match(held, '^%d+ %d+ (%S+) (.*)$')
  mine = worker == ARGV[2]
  if reported ~= '-' then
    return false
  end
  if not mine and tonumber(redis.call('ZSCORE', KEYS[3], ARGV[1])) > tonumber(ARGV[3]) then
    return false
  end
end
if not mine then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3] .. ' ' .. ARGV[3] .. ' - ' .. ARGV[2])
end
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
return payload
