-- What fakeredis lacks of the server's scripting: `cmsgpack.unpack`, for what commits are made of (arrays, strings in
-- the old form of the format, numbers from 0). Source: the MessagePack specification of 2011, without its binary type.
local byte, sub = string.byte, string.sub

local function number(text, at, size)
  local found = 0
  for place = at, at + size - 1 do
    found = found * 256 + byte(text, place)
  end
  return found, at + size
end

local read

local function array(text, at, length)
  local found = {}
  for place = 1, length do
    found[place], at = read(text, at)
  end
  return found, at
end

local function raw(text, at, length)
  return sub(text, at, at + length - 1), at + length
end

local SIZES = {[0xcc] = 1, [0xcd] = 2, [0xce] = 4, [0xcf] = 8}
local LENGTHS = {[0xda] = {raw, 2}, [0xdb] = {raw, 4}, [0xdc] = {array, 2}, [0xdd] = {array, 4}}

function read(text, at)
  local mark = byte(text, at)
  if mark < 0x80 then
    return mark, at + 1
  elseif mark >= 0x90 and mark <= 0x9f then
    return array(text, at + 1, mark - 0x90)
  elseif mark >= 0xa0 and mark <= 0xbf then
    return raw(text, at + 1, mark - 0xa0)
  elseif SIZES[mark] then
    return number(text, at + 1, SIZES[mark])
  elseif LENGTHS[mark] then
    local length, start = number(text, at + 1, LENGTHS[mark][2])
    return LENGTHS[mark][1](text, start, length)
  end
  error('Bad data format in input.')
end

return {
  unpack = function(text)
    return (read(text, 1))
  end,
}
