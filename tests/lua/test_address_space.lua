-- Address space: under a limit (ulimit -v) a state gets as many objects with hakmem as without it, and as many again
-- once they are garbage.
local luaunit = require "luaunit"
local support = require "support"

local FILL = [[
if arg[1] == "hakmem" then require("hakmem").install() end
local function fill()
  local keep, count = {}, 0
  local ok, message = pcall(function()
    for i = 1, 1e9 do
      keep[i % 100000 + 1] = { keep[i % 100000 + 1], "s" .. i }
      count = i
    end
  end)
  assert(not ok and tostring(message):find("not enough memory"), message)
  return count
end
local first = fill()
collectgarbage()
local second = fill()
collectgarbage()
print(first, second)
]]

local function counts(way)
  local first, second = support.run(FILL, nil, way, "ulimit -v 102400;"):match("(%d+)%s+(%d+)")
  return tonumber(first), tonumber(second)
end

TestAddressSpace = {}

local function a_limit_means_what_it_means_for_malloc()
  local stock = counts "stock"
  local first, second = counts "hakmem"
  luaunit.assertTrue(first >= stock * 0.95, ("%d of %d objects"):format(first, stock))
  luaunit.assertTrue(second >= first * 0.9, ("%d objects, then %d"):format(first, second))
end

-- 5.1 and LuaJIT do not collect when memory is refused, and end.
if support.collects_when_full then
  TestAddressSpace.test_a_limit_means_what_it_means_for_malloc = a_limit_means_what_it_means_for_malloc
end

support.finish(luaunit)
