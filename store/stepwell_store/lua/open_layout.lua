-- Creates the layout of a new store; of an existing one tells what it is.
-- KEYS     1 layout
-- ARGV     1 layout version, 2 number of partitions
-- Returns  {layout version, number of partitions, the version it is being migrated from or false}
redis.call('HSETNX', KEYS[1], 'version', ARGV[1])
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[2])
return redis.call('HMGET', KEYS[1], 'version', 'partitions', 'migrating')
