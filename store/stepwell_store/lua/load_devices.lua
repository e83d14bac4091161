-- Devices, and with them what deciding on them needs, so that nobody has to ask twice: the instances they run, and of
-- those that have dropped events the oldest accumulated ones, as the next event will drop more. A device that cannot be
-- read is for the caller to name; nothing comes with it then, nor with an accumulator of another type. No more events
-- come once they weigh a mebibyte: whoever misses some asks again.
-- KEYS     1 the devices' hash, 2 the instances' hash
-- ARGV     1 how many of the oldest events, 2... device ids
-- Returns  list of the devices' values or false, list of instance ids, list of the instances' values or false,
--          list of device ids, list of lists of these devices' oldest events as they lie
local MOST_BYTES = 1048576

local function values_of(key, names, first)
  local found = {}
  for from = first, #names, 1000 do
    local values = redis.call('HMGET', key, unpack(names, from, math.min(from + 999, #names)))
    for index, value in ipairs(values) do
      found[from - first + index] = value
    end
  end
  return found
end

local prefix = string.match(KEYS[1], '^(.*)devices$')
local last = tonumber(ARGV[1]) - 1
local devices = values_of(KEYS[1], ARGV, 2)
local running, dropping, oldest = {}, {}, {}
local weight = 0

local function look_at(id, device)
  if type(device.running) == 'table' then
    for instance in pairs(device.running) do
      running[#running + 1] = tostring(instance)
    end
  end
  if type(device.dropped) == 'number' and device.dropped > 0 and weight < MOST_BYTES then
    local events = redis.pcall('LRANGE', prefix .. 'events:' .. id, 0, last)
    if not events.err then
      dropping[#dropping + 1] = id
      oldest[#oldest + 1] = events
      for _, event in ipairs(events) do
        weight = weight + #event
      end
    end
  end
end

for index, value in ipairs(devices) do
  if value then
    local sound, device = pcall(cjson.decode, value)
    if sound and type(device) == 'table' then
      look_at(ARGV[index + 1], device)
    end
  end
end
return {devices, running, values_of(KEYS[2], running, 1), dropping, oldest}
