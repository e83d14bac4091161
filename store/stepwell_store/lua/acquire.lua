-- Takes a partition that is free or already ours, with a new epoch that fences all earlier owners.
-- KEYS     1 lease, 2 meta, 3 timers
-- ARGV     1 owner, 2 lease in ms
-- Returns  {"corrupt", key, what is wrong} for a partition that cannot be worked on, and it stays free;
--          false while another's lease lasts, else {epoch, revision, inbox, door, dispatched, next due ms}, each
--          false where it was never set
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return false
end
-- The partition's own keys: of one that is not as we write it, nobody else's instances shall suffer.
local prefix = string.match(KEYS[2], '^(.*)meta$')
local types = {
  meta = 'hash', inbox = 'stream', outbox = 'stream', ledger = 'stream', dead = 'stream', starts = 'hash',
  instances = 'hash', devices = 'hash', timers = 'zset', attempts = 'hash', deadlines = 'zset', claims = 'hash',
  counters = 'hash',
}
for name, kind in pairs(types) do
  local found = redis.call('TYPE', prefix .. name).ok
  if found ~= kind and found ~= 'none' then
    return {'corrupt', prefix .. name, 'is a ' .. found .. ', not a ' .. kind}
  end
end
local forms = {epoch = '^%d+$', revision = '^%d+$', inbox = '^%d+%-%d+$', door = '^%d+%-%d+$', dispatched = '^%d+%-%d+$'}
for name, form in pairs(forms) do
  local value = redis.call('HGET', KEYS[2], name)
  if value and not string.find(value, form) then
    return {'corrupt', KEYS[2], name .. ' is ' .. string.sub(value, 1, 80)}
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'owner', ARGV[1])
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
local meta = redis.call('HMGET', KEYS[2], 'revision', 'inbox', 'door', 'dispatched')
local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
return {epoch, meta[1], meta[2], meta[3], meta[4], first[2] or false}
