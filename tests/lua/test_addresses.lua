-- LuaJIT hashes an object by its address. On hakmem such hashes use more buckets of a table than on
-- its own allocator. Lua's other versions take the address modulo an odd number, and do not mind.

local luaunit = require "luaunit"
local support = require "support"

TestAddresses = {}

-- How many buckets COUNT objects use of a table made for them, by the hash in LuaJIT's lj_tab.h.
local PROGRAM = [[
  local make = function(i) %s end
  local objects, count = {}, %d
  for i = 1, count do objects[i] = make(i) end
  local bit = require "bit"
  local function hash(address)
    local low, high = bit.tobit(address %% 2^32), bit.tobit(math.floor(address / 2^32))
    low, high = bit.bxor(low, high), bit.rol(high, 14)
    low, high = bit.tobit(low - high), bit.rol(high, 5)
    high = bit.bxor(high, low)
    return bit.tobit(high - bit.rol(low, 13))
  end
  local buckets, used, seen = 1, 0, {}
  while buckets < count do buckets = buckets * 2 end
  for i = 1, count do
    local address = tonumber(tostring(objects[i]):match("0x(%%x+)"), 16)
    local bucket = bit.band(hash(address), buckets - 1)
    if not seen[bucket] then seen[bucket], used = true, used + 1 end
  end
  print(used)]]

local OBJECTS = {
  tables = "return {}",
  nodes = "return { x = i, y = i, edges = {} }",
  arrays = "return { i, i }",
  closures = "return function() return i end",
  userdata = "return newproxy()",
  coroutines = "return coroutine.create(print)",
}

local function ratios(count)
  local found, product, number = {}, 1, 0
  for what, make in pairs(OBJECTS) do
    local program = PROGRAM:format(make, count)
    local own = tonumber((support.run(program)))
    local ours = tonumber((support.run(program, "-l hakmem.auto")))
    found[#found + 1] = ("%s %d instead of %d"):format(what, ours, own)
    found.least = math.min(found.least or math.huge, ours / own)
    product, number = product * ours / own, number + 1
  end
  found.mean = product ^ (1 / number)
  found.text = table.concat(found, ", ")
  return found
end

function TestAddresses:test_more_buckets_are_used_than_with_luajits_own()
  if not support.is_jit then return end
  local found = ratios(12000)
  luaunit.assertTrue(found.least >= 0.95, found.text)
  luaunit.assertTrue(found.mean >= 1.5, found.text)
end

support.finish(luaunit)
