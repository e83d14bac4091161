-- Devices, and with them the instances they run, so that nobody has to ask twice. A device that cannot be read is
-- for the caller to name; its instances are then left out.
-- KEYS     1 the devices' hash, 2 the instances' hash
-- ARGV     device ids
-- Returns  list of the devices' values or false, list of instance ids, list of the instances' values or false
local function values_of(key, names)
  local found = {}
  for from = 1, #names, 1000 do
    local values = redis.call('HMGET', key, unpack(names, from, math.min(from + 999, #names)))
    for index, value in ipairs(values) do
      found[from + index - 1] = value
    end
  end
  return found
end

local devices = values_of(KEYS[1], ARGV)
local running = {}
for _, value in ipairs(devices) do
  if value then
    local sound, device = pcall(cjson.decode, value)
    if sound and type(device) == 'table' and type(device.running) == 'table' then
      for id in pairs(device.running) do
        running[#running + 1] = tostring(id)
      end
    end
  end
end
return {devices, running, values_of(KEYS[2], running)}
