-- Dispositions of event keys in the kept dedupe buckets; the newest counts. The newest bucket is the later of the
-- caller's and the store's own, so that a clock which went back does not make known events look new.
-- KEYS     1 the partition's meta hash
-- ARGV     1 prefix, 2 the bucket of now, 3 how many buckets are kept, 4... event keys
-- Returns  a list as long as the event keys: disposition or false
local newest = math.max(tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], 'bucket') or ARGV[2]))
local buckets = {}
for bucket = newest, newest - tonumber(ARGV[3]) + 1, -1 do
  local key = ARGV[1] .. 'seen:' .. string.format('%.0f', bucket)
  if redis.call('EXISTS', key) == 1 then
    buckets[#buckets + 1] = key
  end
end
local found = {}
for place = 1, #ARGV - 3 do
  found[place] = false
end
for from = 4, #ARGV, 1000 do
  local to = math.min(from + 999, #ARGV)
  for _, key in ipairs(buckets) do
    for index, value in ipairs(redis.call('HMGET', key, unpack(ARGV, from, to))) do
      if value then
        local place = from - 4 + index
        found[place] = found[place] or value
      end
    end
  end
end
return found
