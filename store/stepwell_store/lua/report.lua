-- Appends an attempt's result to the inbox, once: a repeat gets the first position. The lease is put off, so that
-- the owner has time to apply the result before it looks lost. A result nobody waits for goes to the inbox too;
-- the engine tells that it is stale.
-- KEYS     1 attempts, 2 claims, 3 deadlines, 4 inbox
-- ARGV     1 token, 2 record, 3 end of the grace in ms, 4 where the job still is (hand_finish.lua), or none
-- Returns  the record's position
local held = redis.call('HGET', KEYS[2], ARGV[1])
local times, reported, worker
if held then
  times, reported, worker = string.match(held, '^(%d+ %d+) (%S+) (.*)$')
  if reported ~= '-' then
    return reported
  end
end
local in_hand = ARGV[4] and {'h', ARGV[4]} or {}
local position = redis.call('XADD', KEYS[4], '*', 'r', ARGV[2], unpack(in_hand))
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
  if held then
    redis.call('HSET', KEYS[2], ARGV[1], times .. ' ' .. position .. ' ' .. worker)
  end
end
return position
