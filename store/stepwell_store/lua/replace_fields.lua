-- Writes fields of a hash anew, each only where it still has the value that was read: whoever was stopped between
-- reading and writing, for however long, overwrites nothing.
-- KEYS     1 the hash
-- ARGV     field, value that was read, new value, and so on
-- Returns  how many were written
local written = 0
for at = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
    written = written + 1
  end
end
return written
