-- Appends entries to a log, all or none. One script, and so one write to disk, however many there are.
-- KEYS     1 log
-- ARGV     1 field, 2 "1" for entries that are sent again, else "", 3... values
-- Returns  their positions, in order
local positions = {}
for index = 3, #ARGV do
  if ARGV[2] == '1' then
    positions[index - 2] = redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[index], 'replay', '1')
  else
    positions[index - 2] = redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[index])
  end
end
return positions
