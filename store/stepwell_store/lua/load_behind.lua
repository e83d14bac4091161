-- Accumulated events of devices, each device's from behind a sequence: from the place where the next one stands if none
-- is missing, which is for the caller to see. None of an accumulator of another type, and no more once they weigh a
-- mebibyte: whoever misses some asks again.
-- KEYS     1 the devices' hash
-- ARGV     1 prefix, 2 how many of each, 3... pairs of device id and sequence
-- Returns  a list as long as the pairs: lists of the events as they lie
local MOST_BYTES = 1048576

local most = tonumber(ARGV[2])
local found = {}
local weight = 0

local function behind(key, sequence)
  local head = redis.pcall('LINDEX', key, 0)
  if not head or head.err or weight >= MOST_BYTES then
    return {}
  end
  local from = sequence + 1 - (tonumber(string.match(head, '^%d+')) or math.huge)
  if from < 0 then
    return {}
  end
  local events = redis.call('LRANGE', key, from, from + most - 1)
  for _, event in ipairs(events) do
    weight = weight + #event
  end
  return events
end

for index = 3, #ARGV, 2 do
  found[#found + 1] = behind(ARGV[1] .. 'events:' .. ARGV[index], tonumber(ARGV[index + 1]))
end
return found
