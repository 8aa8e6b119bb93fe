-- Taking a running state over: what lives goes on living, and what dies goes back where it came from.
local luaunit = require "luaunit"
local support = require "support"

-- Makes and checks objects of every kind. `make(n)` returns one that `check(object, n)` knows again.
local OBJECTS = [[
  local on_gc = require "support".on_gc
  local finalized = 0
  local makers = {
    function(n) return { n, n + 1, name = "t" .. n } end,
    function(n) return { text = ("s" .. n):rep(n % 40 + 1) } end,
    function(n)
      local count = n
      return { f = function(by) count = count + by return count end, n = n }
    end,
    function(n)
      local co = coroutine.wrap(function(a) while true do a = coroutine.yield(a + n) end end)
      return { co = co, first = co(1) }
    end,
    function(n)
      local t = {}
      for i = 1, n % 70 do t[i] = i * n end
      return t
    end,
    function(n)
      local t = {}
      for i = 1, n % 30 do t["k" .. i] = { i } end
      return t
    end,
    function(n) return setmetatable({ n }, { __index = function(_, k) return k .. n end }) end,
    function(n) return { on_gc(function() finalized = finalized + 1 end) } end,
  }
  local checks = {
    function(o, n) assert(o[1] == n and o[2] == n + 1 and o.name == "t" .. n) end,
    function(o, n) assert(o.text == ("s" .. n):rep(n % 40 + 1)) end,
    function(o, n) assert(o.f(5) == n + 5 and o.f(-5) == n) end,
    function(o, n) assert(o.first == n + 1 and o.co(10) == n + 10) end,
    function(o, n)
      assert(#o == n % 70)
      for i = 1, #o do assert(o[i] == i * n) end
    end,
    function(o, n) for i = 1, n % 30 do assert(o["k" .. i][1] == i) end end,
    function(o, n) assert(o[1] == n and o.key == "key" .. n) end,
    function(o) assert(#o == 1) end,
  }
  local function make(n) return makers[n % #makers + 1](n) end
  local function check(o, n) return checks[n % #checks + 1](o, n) end
]]

local function child(code) return support.run(OBJECTS .. code) end

TestRunningState = {}

function TestRunningState:test_100_mb_of_objects_survive_and_go_back_when_they_die()
  local output = child [[
    local support, hakmem = require "support", require "hakmem"
    support.tune("pause", 400)
    local objects, count = {}, 0
    while collectgarbage("count") < 100 * 1024 do
      for _ = 1, 1000 do
        count = count + 1
        objects[count] = make(count)
      end
    end
    support.tune("pause", 200)
    local big = ("0123456789"):rep(300000)
    hakmem.install()
    collectgarbage()
    for n = 1, count do check(objects[n], n) end
    assert(big:sub(-10) == "0123456789" and #big == 3000000)

    -- Old blocks grow: arrays, hashes, the string table, the stacks of coroutines.
    for n = 1, count, 97 do
      local o = objects[n]
      for i = 1, 50 do o["grown" .. i] = i end
      for i = #o + 1, #o + 50 do o[i] = i end
    end
    objects[#objects + 1] = 0
    objects[#objects] = nil
    local strings = {}
    for i = 1, 50000 do strings[i] = "unique " .. i end
    for n = 1, count, 97 do
      local o = objects[n]
      for i = 1, 50 do assert(o["grown" .. i] == i) end
      objects[n] = make(n)
    end
    local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end
    assert(deep(10000) == 10000)
    for n = 1, count do check(objects[n], n) end

    -- Half dies, and the other half stays whole; then all.
    for n = 1, count, 2 do objects[n] = make(n) end
    collectgarbage()
    for n = 1, count do check(objects[n], n) end
    strings = nil
    collectgarbage()
    local before = support.rss()
    for n = count, 1, -1 do objects[n] = nil end
    objects = nil
    collectgarbage()
    collectgarbage()
    collectgarbage()
    hakmem.trim()
    local after = support.rss()
    print(count > 50000, after < before - 60e6 or ("%d KiB, then %d"):format(before / 1024, after / 1024))
    print(finalized > 1000)
    assert(hakmem.stats().live_bytes < 10e6)]]
  luaunit.assertEquals(output, "true\ttrue\ntrue\n")
end

function TestRunningState:test_installing_inside_a_coroutine_works()
  local output = child [[
    local hakmem = require "hakmem"
    local objects = {}
    for n = 1, 1000 do objects[n] = make(n) end
    local co = coroutine.create(function()
      print(hakmem.install())
      for n = 1001, 2000 do objects[n] = make(n) end
      coroutine.yield(1)
      for n = 2001, 3000 do objects[n] = make(n) end
      return 2
    end)
    print(coroutine.resume(co))
    collectgarbage()
    print(coroutine.resume(co))
    co = nil
    collectgarbage()
    collectgarbage()
    for n = 1, 3000 do check(objects[n], n) end
    print(hakmem.installed())]]
  luaunit.assertEquals(output, "true\ntrue\t1\ntrue\t2\ntrue\n")
end

function TestRunningState:test_installing_inside_a_finalizer_works()
  local output = child [[
    local hakmem = require "hakmem"
    local objects = {}
    for n = 1, 1000 do objects[n] = make(n) end
    on_gc(function()
      print(hakmem.install())
      for n = 1001, 2000 do objects[n] = make(n) end
    end)
    while not hakmem.installed() do collectgarbage() end
    for _ = 1, 10 do
      for n = 1, 2000 do check(objects[n], n) end
      collectgarbage()
    end
    print(hakmem.installed())]]
  luaunit.assertEquals(output, "true\ntrue\n")
end

function TestRunningState:test_installing_in_a_finalizer_at_the_end_works()
  local output = child [[
    local hakmem = require "hakmem"
    keep = on_gc(function()
      print(hakmem.install())
      local objects = {}
      for n = 1, 2000 do objects[n] = make(n) end
      for n = 1, 2000 do check(objects[n], n) end
      print(hakmem.installed())
    end)]]
  luaunit.assertEquals(output, "true\ntrue\n")
end

function TestRunningState:test_installing_inside_a_metamethod_an_iterator_and_a_sort_works()
  local output = child [[
    local hakmem = require "hakmem"
    local list = {}
    for n = 1, 500 do list[n] = (n * 7919) % 503 end
    table.sort(list, function(a, b)
      hakmem.install()
      local garbage = make(a)
      return a < b
    end)
    for n = 2, 500 do assert(list[n - 1] <= list[n]) end
    print(hakmem.install(), (("x"):rep(5000):gsub("x", function() return "yz" end):len()))]]
  luaunit.assertEquals(output, "false\t10000\n")
end

function TestRunningState:test_large_old_blocks_grow_and_shrink()
  local output = child [[
    local hakmem = require "hakmem"
    local array, map = {}, {}
    for i = 1, 100000 do array[i] = i end
    for i = 1, 30000 do map["k" .. i] = i end
    hakmem.install()
    for i = 100001, 300000 do array[i] = i end
    for i = 30001, 90000 do map["k" .. i] = i end
    for i = 1, 300000 do assert(array[i] == i) end
    for i = 1, 90000 do assert(map["k" .. i] == i) end
    for i = 300000, 11, -1 do array[i] = nil end
    for i = 90000, 11, -1 do map["k" .. i] = nil end
    array.x, map.x = 1, 1 -- they may be rehashed to their size
    for i = 1, 50 do array["y" .. i], map["y" .. i] = i, i end
    collectgarbage()
    for i = 1, 10 do assert(array[i] == i and map["k" .. i] == i) end
    local parts = {}
    for i = 1, 20000 do parts[i] = "part " .. i end
    local text = table.concat(parts, ",")
    print(#array, #text, text:sub(-10))]]
  luaunit.assertEquals(output, "10\t208893\tpart 20000\n")
end

-- Nothing of ours is called where a cycle ends: so C calls may be nested as deep as without us, with
-- cycles at any depth.
function TestRunningState:test_c_calls_nest_as_deep_as_ever()
  local code = [[
    if arg[1] == "install" then require "hakmem".install() end
    local function churn() local t for i = 1, 3000 do t = { i, { i } } end return t end
    local gsub, said = string.gsub, {}
    local function deep(n)
      if n == 0 then churn() return 1 end
      return (gsub("a", "a", function() deep(n - 1) return "x" end))
    end
    local function nested(n)
      if n == 0 then churn() return 1 end
      local ok, message = pcall(nested, n - 1)
      if not ok then error(message, 0) end
      return 1
    end
    for _, f in ipairs { deep, nested } do
      for n = 185, 202 do
        for _ = 1, 10 do
          local ok, message = pcall(f, n)
          if not ok then said[#said + 1] = n .. tostring(message) break end
        end
      end
    end
    print(table.concat(said, "\n"))]]
  luaunit.assertEquals(support.run(code, "", "install"), support.run(code, "", "stock"))
end

support.finish(luaunit)
