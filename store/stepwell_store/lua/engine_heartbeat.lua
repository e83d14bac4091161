-- Notes that an engine lives, by the server's clock, and forgets those that were silent for too long.
-- KEYS     1 engines
-- ARGV     1 owner, 2 time to live in ms
-- Returns  the engines that live
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now_ms + tonumber(ARGV[2])), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now_ms))
return redis.call('ZRANGE', KEYS[1], 0, -1)
