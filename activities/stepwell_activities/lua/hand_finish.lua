-- Claim the attempt of a job in hand and report its result: all that a short body leaves to do.
-- Runs behind `claim` and `report`, the store's own claim.lua and report.lua. A repeat (the reply was lost) does nothing,
-- since the result is told or the job not in hand any more; nor does the result of a job that was put back meanwhile.
-- Nor does it matter where hand_claim.lua has taken the job already: its reply may have been lost, so that the worker
-- does not know.
-- Where an engine has applied all that came before, the result is told and not written: into the server's memory, with
-- nothing in the append-only file, so that no disk is waited for; the job stays in hand until the commit that applies
-- the result, which forgets it. A server that dies before that commit finds the job in hand again (0015). Else the job is
-- forgotten here.
-- KEYS[1] the worker's hands (list)  KEYS[2] the queue's hash of taken jobs (id -> worker)
-- KEYS[3..7] attempts, claims, deadlines, inbox, lease of the partition  KEYS[8...] the worker's queues (lists)
-- ARGV[1] id, which is the token  [2] RQ's name of the worker  [3] the store's name of the worker
-- ARGV[4] when the body began, in ms  [5] the record  [6] end of the grace in ms
-- Returns {1 when reported, 1 when a queue of the worker has more}
local id, hands, inbox, lease = ARGV[1], KEYS[1], KEYS[6], KEYS[7]
local more = 0
for queue = 8, #KEYS do
  if redis.call('EXISTS', KEYS[queue]) == 1 then
    more = 1
  end
end

local function tell(in_hand)
  claim({KEYS[3], KEYS[4], KEYS[5]}, {id, ARGV[3], ARGV[4], ARGV[6]})
  report({KEYS[3], KEYS[4], KEYS[5], inbox}, {id, ARGV[5], ARGV[6], in_hand})
end

-- With more on the queues a turn follows at once, which writes anyway. An inbox that holds anything else is one that the
-- engine is slow with; without a lease there is none. An inbox that does not exist yet must be made by an entry that is
-- written. With replicas, a master that gives way would keep what it was told, and others would not have it.
local function has_no_replica()
  local found = redis.pcall('INFO', 'replication') -- not every user may ask
  return type(found) == 'string' and string.find(found, 'connected_slaves:0', 1, true)
end

local function may_wait_for_the_commit()
  return more == 0 and redis.call('EXISTS', inbox, lease) == 2 and redis.call('XLEN', inbox) == 0 and has_no_replica()
end

local in_hand = redis.call('LPOS', hands, id)
local held = in_hand and redis.call('HGET', KEYS[4], id)
local reported = held and string.match(held, '^%d+ %d+ (%S+)')
if reported and reported ~= '-' then
  return {1, more} -- told before, and not applied yet
end
if in_hand and may_wait_for_the_commit() then
  redis.set_repl(redis.REPL_NONE)
  if pcall(tell, id .. ' ' .. hands) then
    return {1, 0}
  end
  redis.set_repl(redis.REPL_ALL) -- a full memory refuses the first write of a script, unless it is one that frees
end
if redis.call('LREM', hands, 1, id) == 0 then
  if redis.call('HGET', KEYS[2], id) ~= ARGV[2] then
    return {0, more}
  end
  redis.call('HDEL', KEYS[2], id)
end
tell()
redis.call('DEL', 'rq:job:' .. id)
return {1, more}
