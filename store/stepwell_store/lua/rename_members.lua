-- Renames members of a sorted set, each only where it is still there. Where the new name is taken, the smaller score stays.
-- KEYS     1 the sorted set
-- ARGV     member, new name, and so on
-- Returns  how many were renamed
local renamed = 0
for at = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if score then
    redis.call('ZREM', KEYS[1], ARGV[at])
    redis.call('ZADD', KEYS[1], 'LT', score, ARGV[at + 1])
    renamed = renamed + 1
  end
end
return renamed
