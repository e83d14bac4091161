-- Attempts whose lease or dispatch deadline ran out, the oldest first.
-- KEYS     1 deadlines, 2 attempts, 3 claims
-- ARGV     1 now in ms, 2 limit
-- Returns  flat list of token, payload, claim or "" for each
local found = {}
for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local payload = redis.call('HGET', KEYS[2], token)
  if payload then
    found[#found + 1] = token
    found[#found + 1] = payload
    found[#found + 1] = redis.call('HGET', KEYS[3], token) or ''
  end
end
return found
