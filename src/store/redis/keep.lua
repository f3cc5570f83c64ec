-- Keeps a response unless a newer one is there. One round trip; all keys are in one slot.
-- KEYS: 1 its value, 2 the whole of it if that is large, 3 the note of its variants if it is one.
-- ARGV: 1 value, 2 TTL in ms, 3 place in the purge log (16 bytes), 4 age in ms, 5 whole or '', 6 note, 7 member, 8 most members.
-- Returns the variants that have no place in the note any more, or nil where a newer one is there.
local ttl = tonumber(ARGV[2])

local function number(bytes, from)
  local n = 0
  for i = from, from + 7 do
    n = n * 256 + bytes:byte(i)
  end
  return n
end

-- What a value of ours begins with, from its kind on: 1 kind, 2-17 place in the log, 18-25 age when it was written, 26-33 TTL.
local function stamp(key)
  local bytes = redis.pcall('GETRANGE', key, 0, 48)
  local ours = type(bytes) == 'string' and #bytes == 49 and bytes:sub(1, 4) == ARGV[1]:sub(1, 4)
  return ours and bytes:sub(13) or nil
end

local function is_newer(there, key)
  for i = 1, 16 do
    local a, b = there:byte(i + 1), ARGV[3]:byte(i)
    if a ~= b then
      return a > b
    end
  end
  local left = redis.call('PTTL', key)
  return left > 0 and number(there, 18) + number(there, 26) - left < tonumber(ARGV[4])
end

local before = stamp(KEYS[1])
if before and is_newer(before, KEYS[1]) then
  return nil
end
local main = KEYS[3] and stamp(KEYS[3])
if main and main:byte(1) ~= 1 and is_newer(main, KEYS[3]) then
  return nil -- the answer has no variants any more
end

if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[5], 'PX', ttl)
elseif before and before:byte(1) == 2 then
  redis.call('DEL', KEYS[2])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ttl)
if not KEYS[3] then
  return {}
end

-- The note lives as long as the longest of its variants.
local note, kept, gone = ARGV[6], {}, {}
if main and main:byte(1) == 1 then
  local old = redis.call('GETRANGE', KEYS[3], 0, 4095)
  local length = ((old:byte(46) * 256 + old:byte(47)) * 256 + old:byte(48)) * 256 + old:byte(49)
  local is_of_use = old:sub(50, length) == note:sub(50) -- of other names: nobody finds its variants any more
  for at = length + 1, #old - 31, 32 do
    local member = old:sub(at, at + 31)
    if not is_of_use then
      gone[#gone + 1] = member:sub(1, 16)
    elseif member:sub(1, 16) ~= ARGV[7]:sub(1, 16) then
      kept[#kept + 1] = member
    end
  end
  ttl = math.max(ttl, redis.call('PTTL', KEYS[3]))
end
kept[#kept + 1] = ARGV[7]
while #kept > tonumber(ARGV[8]) do
  gone[#gone + 1] = table.remove(kept, 1):sub(1, 16)
end
redis.call('SET', KEYS[3], note .. table.concat(kept), 'PX', ttl)
return gone
