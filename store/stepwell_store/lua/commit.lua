-- Applies one batch of a partition, whole or not at all.
--
-- This is the one place where a partition changes by its owner's hand, so this is where the guarantees live:
--   * the fence: epoch and revision must be those the owner last saw, or nothing is written ("stale");
--     Nor is anything applied of an entry that this server has never had, or forgot when it was started again: its
--     position may be given to another;
--   * the repeat: a commit whose reply was lost is sent again with the same token, and is answered as the first
--     time. Only the last commit can be repeated, since an owner sends the next one after it has the answer;
--   * wholeness: what can fail (the fence, a key of the partition that is of another type) is checked before the
--     first write. Redis refuses a script that would exceed maxmemory at its first write, before anything is
--     changed. A key of one instance or device that is of another type is set aside under `corrupt:`, and named in
--     the answer: the commit stays whole, and nobody else notices.
-- Values come flat and grouped by command, so that one call writes many of them; a call gets at most 1,000
-- values, because unpack fails at about 8,000. All keys begin with the partition's prefix (one hash tag).
--
-- KEYS[1]   the partition's meta hash
-- ARGV      1 prefix, 2 epoch, 3 revision, 4 next revision, 5 token,
--           6 inbox position, 7 smallest inbox position that stays ("" = all stay), 8 door position,
--           9 dispatched ("" = as before), 10 smallest outbox position that stays,
--           11 dedupe bucket, 12 smallest ledger position that stays,
--           13 position and 14 field `h` of the inbox entry that the server has in memory only (0015), else "" and "",
--           15... one array in MessagePack, in as many pieces as it takes: values in one argument cost the server a
--           sixth to a quarter less than as many arguments (0008). It holds sections in the order of the calls
--           below. A list is its length and its values; a group list is the number of groups, and per group its
--           name and a list.
--           Lengths are numbers, all else strings. The batch's ledger entries are one value.
-- Returns   {"committed", next due timer ms or "", first outbox position or "", number of outbox entries,
--            names of keys set aside...}, {"stale"}, or {"corrupt", key, its type}

local call = redis.call
local CHUNK = 1000
local DEDUPE_BUCKETS = 3
local TYPES = {
  meta = 'hash', inbox = 'stream', outbox = 'stream', ledger = 'stream', dead = 'stream', starts = 'hash',
  instances = 'hash', devices = 'hash', timers = 'zset', attempts = 'hash', deadlines = 'zset', claims = 'hash',
  counters = 'hash',
}
local meta = KEYS[1]
local prefix = ARGV[1]

local set_aside = {}

local function answer(outbox_first, outbox_count)
  local first = call('ZRANGE', prefix .. 'timers', 0, 0, 'WITHSCORES')
  return {'committed', first[2] or '', outbox_first, outbox_count, unpack(set_aside)}
end

for name, kind in pairs(TYPES) do
  local found = call('TYPE', prefix .. name).ok
  if found ~= kind and found ~= 'none' then
    return {'corrupt', prefix .. name, found}
  end
end

local known = call('HMGET', meta, 'epoch', 'revision', 'token', 'bucket', 'outbox_first', 'outbox_count')
if known[3] == ARGV[5] then
  return answer(known[5], known[6])
end
if (known[1] or '0') ~= ARGV[2] or (known[2] or '0') ~= ARGV[3] then
  return {'stale'}
end
if ARGV[13] ~= '' then
  local entry = call('XRANGE', prefix .. 'inbox', ARGV[13], ARGV[13])[1]
  if not entry or entry[2][3] ~= 'h' or entry[2][4] ~= ARGV[14] then
    return {'stale'}
  end
end

local at = 1
local values = cmsgpack.unpack(ARGV[15])
for piece = 16, #ARGV do
  for _, one in ipairs(cmsgpack.unpack(ARGV[piece])) do
    values[#values + 1] = one
  end
end

local function value()
  at = at + 1
  return values[at - 1]
end

-- Only what belongs to one instance or device: the partition's own keys have been looked at.
local function set_key_aside(key)
  local name = string.sub(key, #prefix + 1)
  call('RENAME', key, prefix .. 'corrupt:' .. name)
  set_aside[#set_aside + 1] = name
end

local function put(command, key, ...)
  local done = redis.pcall(command, key, ...)
  if type(done) == 'table' and done.err then
    if string.find(done.err, 'WRONGTYPE', 1, true) then
      set_key_aside(key)
    end
    call(command, key, ...)
  end
end

local function list(command, key)
  local length = value()
  if length == 1 then
    put(command, key, value())
    return
  end
  local last = at + length - 1
  while at <= last do
    local stop = math.min(at + CHUNK - 1, last)
    put(command, key, unpack(values, at, stop))
    at = stop + 1
  end
end

local function groups(command, family)
  for _ = 1, value() do
    list(command, prefix .. family .. value())
  end
end

local function check(key, kind)
  local found = call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    set_key_aside(key)
  end
end

local function remove_instance(instance, device)
  if device ~= '' then
    put('ZREM', prefix .. 'runs:' .. device, instance)
  end
  call('HDEL', prefix .. 'instances', instance)
  call('HDEL', prefix .. 'starts', instance)
  call('DEL', prefix .. 'history:' .. instance)
end

local function remove_device(device)
  call('HDEL', prefix .. 'devices', device)
  call('DEL', prefix .. 'events:' .. device, prefix .. 'available:' .. device)
end

-- The list's index follows from the sequence of its first event.
local function drop_before(device, first_kept)
  local events = prefix .. 'events:' .. device
  check(events, 'list')
  check(prefix .. 'available:' .. device, 'set')
  local head = call('LINDEX', events, 0)
  if not head then
    return
  end
  local first = tonumber(string.match(head, '^%d+'))
  if first >= first_kept then
    return
  end
  call('LTRIM', events, first_kept - first, -1)
  for from = first, first_kept - 1, CHUNK do
    local gone = {}
    for sequence = from, math.min(from + CHUNK, first_kept) - 1 do
      gone[#gone + 1] = string.format('%.0f', sequence)
    end
    call('SREM', prefix .. 'available:' .. device, unpack(gone))
  end
end

-- A worker may have claimed the attempt since the owner looked; its lease then decides.
local function postpone(token, deadline_ms)
  if call('HEXISTS', prefix .. 'claims', token) == 0 then
    local current = call('ZSCORE', prefix .. 'deadlines', token)
    if current and tonumber(current) < tonumber(deadline_ms) then
      call('ZADD', prefix .. 'deadlines', deadline_ms, token)
    end
  end
end

-- positions
if ARGV[7] ~= '' then
  call('XTRIM', prefix .. 'inbox', 'MINID', ARGV[7])
end
if ARGV[13] ~= '' and call('XLEN', prefix .. 'inbox') == 0 then
  -- What is on the disk has never seen this position: without that it could be given again after a restart, if the clock
  -- has gone back. Later entries are on the disk with theirs. Not every user may do this, and a stream from which an
  -- operator has deleted refuses it: then an entry is added and trimmed, as Redis writes an empty stream to the disk.
  local done = redis.pcall('XSETID', prefix .. 'inbox', ARGV[6])
  if done.err then
    redis.pcall('XADD', prefix .. 'inbox', 'MAXLEN', '0', ARGV[7], 'r', '')
  end
end
if ARGV[9] ~= '' then
  call('XTRIM', prefix .. 'outbox', 'MINID', ARGV[10])
  call('HSET', meta, 'dispatched', ARGV[9])
end

-- instances
for _ = 1, value() do
  local instance = value()
  remove_instance(instance, value())
end
list('HSET', prefix .. 'instances')
groups('RPUSH', 'history:')
groups('ZREM', 'index:')
groups('ZADD', 'index:')
groups('ZADD', 'runs:')

-- devices
for _ = 1, value() do
  remove_device(value())
end
list('HSET', prefix .. 'devices')
groups('RPUSH', 'events:')
for _ = 1, value() do
  local device = value()
  drop_before(device, tonumber(value()))
end
groups('SADD', 'available:')
groups('SREM', 'available:')

-- timers
list('ZADD', prefix .. 'timers')
list('ZREM', prefix .. 'timers')

-- attempts: set ones are unclaimed, forgotten ones leave nothing
list('HSET', prefix .. 'attempts')
list('ZADD', prefix .. 'deadlines')
list('HDEL', prefix .. 'claims')
list('HDEL', prefix .. 'attempts')
list('ZREM', prefix .. 'deadlines')
for _ = 1, value() do
  local token = value()
  postpone(token, value())
end

-- dedupe
local bucket = tonumber(ARGV[11])
local newest = tonumber(known[4] or ARGV[11])
if bucket > newest then
  for old = newest - DEDUPE_BUCKETS + 1, math.min(bucket - DEDUPE_BUCKETS, newest) do
    call('UNLINK', prefix .. 'seen:' .. string.format('%.0f', old))
  end
else
  bucket = newest
end
list('HSET', prefix .. 'seen:' .. string.format('%.0f', bucket))

-- logs
local ledger = value()
if ledger ~= '' then
  call('XADD', prefix .. 'ledger', '*', 'e', ledger)
  call('XTRIM', prefix .. 'ledger', 'MINID', '~', ARGV[12])
end
local outbox_first = ''
local outbox_count = value()
if outbox_count > 0 then
  outbox_first = call('XADD', prefix .. 'outbox', '*', 'c', value())
  local ms, number = string.match(outbox_first, '^(%d+)-(%d+)$')
  for step = 1, outbox_count - 1 do
    local position = ms .. '-' .. string.format('%.0f', tonumber(number) + step)
    call('XADD', prefix .. 'outbox', position, 'c', value())
  end
end
for _ = 1, value() do
  call('XADD', prefix .. 'dead', '*', 'b', value())
end
list('HDEL', prefix .. 'starts')
for _ = 1, value() do
  local name = value()
  call('HINCRBY', prefix .. 'counters', name, value())
end

call('HSET', meta, 'revision', ARGV[4], 'token', ARGV[5], 'inbox', ARGV[6], 'door', ARGV[8],
  'bucket', string.format('%.0f', bucket), 'outbox_first', outbox_first, 'outbox_count', outbox_count)

for _ = 1, value() do
  local channel = value()
  call('PUBLISH', channel, value())
end
return answer(outbox_first, outbox_count)
