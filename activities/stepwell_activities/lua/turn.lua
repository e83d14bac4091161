-- One turn of a worker: forget the jobs it has finished, take the next ones, show signs of life. Atomic.
-- KEYS[1] rq:suspended  KEYS[2] the worker's hash  then per queue: its list, its hash of taken jobs (id -> worker),
--      the worker's hands (list): what the server has laid there is the front of the queue
-- ARGV[1] jobs wanted  [2] worker name  [3] now, ISO 8601  [4] time to live of the worker's hash in seconds
-- ARGV[5] jobs done well  [6] jobs failed  [7] seconds worked  [8] number of finished jobs, then (queue, id) of each;
--      then, where attempts are claimed here too (the store is on this server): the store's name of the worker, now in
--      ms, end of the lease in ms, and the key prefix of each partition
-- Returns {suspended 0|1, {queue, id, data, claim}...}; queues are counted from 1. `claim` is the attempt's payload, "-"
-- where it is not wanted or held by another (as claim.lua has it), "" where it was not claimed here.
-- A job whose hash is gone was cancelled: its id is dropped. What is taken stays in the hash until it is finished,
-- so that what a killed worker held can be put back. What is in hand and told (hand_finish.lua) stays there.
local finished = tonumber(ARGV[8])
for i = 0, finished - 1 do
  local queue, id = tonumber(ARGV[9 + 2 * i]), ARGV[10 + 2 * i]
  redis.call('HDEL', KEYS[1 + 3 * queue], id)
  redis.call('DEL', 'rq:job:' .. id)
end
local claiming = 9 + 2 * finished

-- The same as the store's claim.lua; the job's id is the attempt's token.
local function claim(prefix, token)
  local worker, now, lease_end = ARGV[claiming], ARGV[claiming + 1], ARGV[claiming + 2]
  local payload = redis.call('HGET', prefix .. 'attempts', token)
  if not payload then
    return '-'
  end
  local held = redis.call('HGET', prefix .. 'claims', token)
  local mine = false
  if held then
    local reported, holder = string.match(held, '^%d+ %d+ (%S+) (.*)$')
    mine = holder == worker
    if reported ~= '-' then
      return '-'
    end
    if not mine and tonumber(redis.call('ZSCORE', prefix .. 'deadlines', token)) > tonumber(now) then
      return '-'
    end
  end
  if not mine then
    redis.call('HSET', prefix .. 'claims', token, now .. ' ' .. now .. ' - ' .. worker)
  end
  redis.call('ZADD', prefix .. 'deadlines', lease_end, token)
  return payload
end

local function prefix_of(partition)
  local number = tonumber(partition or '') or -1
  return number >= 0 and ARGV[claiming] and ARGV[claiming + 3 + number]
end

-- Whether its result is in the inbox, told (hand_finish.lua) and not applied: the commit that applies it forgets the job.
local function is_told(id, prefix)
  local held = prefix and redis.call('HGET', prefix .. 'claims', id)
  local reported = string.match(held or '', '^%d+ %d+ (%S+)')
  return reported and reported ~= '-'
end

local suspended = redis.call('EXISTS', KEYS[1])
local reply, first = {suspended}, nil
local wanted = tonumber(ARGV[1])
local queues = (#KEYS - 2) / 3
local told = {}
if suspended == 0 then
  for queue = 1, queues do
    local list, taken, hands = KEYS[3 * queue], KEYS[1 + 3 * queue], KEYS[2 + 3 * queue]
    local source = hands
    while #reply <= wanted do
      local id = redis.call('LPOP', source)
      if not id and source == hands then
        source = list
        id = redis.call('LPOP', source)
      end
      if not id then break end
      local job = 'rq:job:' .. id
      local known = redis.call('HMGET', job, 'data', 'partition')
      local data, prefix = known[1], prefix_of(known[2])
      if data and source == hands and is_told(id, prefix) then
        told[#told + 1] = {hands, id}
      elseif data then
        redis.call('HSET', job, 'status', 'started', 'worker_name', ARGV[2], 'started_at', ARGV[3])
        redis.call('HSET', taken, id, ARGV[2])
        reply[#reply + 1] = {queue, id, data, prefix and claim(prefix, id) or ''}
        first = first or id
      elseif redis.call('EXISTS', job) == 1 then
        redis.call('HSET', taken, id, ARGV[2])
        reply[#reply + 1] = {queue, id, '', ''}
      end
    end
  end
end
for _, job in ipairs(told) do
  redis.call('LPUSH', job[1], job[2])
end
for queue = 1, suspended == 1 and queues or 0 do
  while redis.call('LMOVE', KEYS[2 + 3 * queue], KEYS[3 * queue], 'RIGHT', 'LEFT') do end
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', KEYS[2], 'last_heartbeat', ARGV[3], 'state', first and 'busy' or 'idle')
  if first then redis.call('HSET', KEYS[2], 'current_job', first) else redis.call('HDEL', KEYS[2], 'current_job') end
  if ARGV[5] ~= '0' then redis.call('HINCRBY', KEYS[2], 'successful_job_count', ARGV[5]) end
  if ARGV[6] ~= '0' then redis.call('HINCRBY', KEYS[2], 'failed_job_count', ARGV[6]) end
  if ARGV[7] ~= '0' then redis.call('HINCRBYFLOAT', KEYS[2], 'total_working_time', ARGV[7]) end
  redis.call('EXPIRE', KEYS[2], ARGV[4])
end
return reply
