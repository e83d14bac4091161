-- The events of a device that no wait has consumed, oldest first.
-- KEYS     1 the device's available set, 2 its accumulator
-- Returns  list of "<sequence> <event JSON>"
local head = redis.call('LINDEX', KEYS[2], 0)
local members = redis.call('SMEMBERS', KEYS[1])
if not head or #members == 0 then
  return {}
end
local first = tonumber(string.match(head, '^%d+'))
local wanted = {}
for index, member in ipairs(members) do
  wanted[index] = tonumber(member)
end
table.sort(wanted)
local low, high = wanted[1], wanted[#wanted]
local found = {}
if high - low < 4 * #wanted then
  local events = redis.call('LRANGE', KEYS[2], low - first, high - first)
  for _, sequence in ipairs(wanted) do
    found[#found + 1] = events[sequence - low + 1]
  end
else
  for _, sequence in ipairs(wanted) do
    local event = redis.call('LINDEX', KEYS[2], sequence - first)
    if event then
      found[#found + 1] = event
    end
  end
end
return found
