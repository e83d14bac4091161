-- The newest instances of a partition over several index sets, for one page of a merged list. All instances with
-- the score of the last one taken are returned, as are all with the cursor's: the caller orders equal scores by
-- id (Lua would compare by the server's locale).
-- KEYS     the index sets
-- ARGV     1 highest score, 2 lowest score ("-inf"), 3 limit, 4 "1" when the highest score is a cursor's
-- Returns  flat list of instance, created ms
local limit = tonumber(ARGV[3])
local found = {}
local function take(scored)
  for index = 1, #scored, 2 do
    found[#found + 1] = {scored[index], tonumber(scored[index + 1]), scored[index + 1]}
  end
end
for _, key in ipairs(KEYS) do
  local highest = ARGV[1]
  if ARGV[4] == '1' then
    take(redis.call('ZRANGEBYSCORE', key, highest, highest, 'WITHSCORES'))
    highest = '(' .. highest
  end
  take(redis.call('ZREVRANGEBYSCORE', key, highest, ARGV[2], 'WITHSCORES', 'LIMIT', 0, limit))
end
table.sort(found, function(left, right) return left[2] > right[2] end)
local below = 0
local page = {}
for index, item in ipairs(found) do
  if ARGV[4] ~= '1' or item[3] ~= ARGV[1] then
    below = below + 1
    if below > limit and item[2] < found[index - 1][2] then
      break
    end
  end
  page[#page + 1] = item[1]
  page[#page + 1] = item[3]
end
return page
