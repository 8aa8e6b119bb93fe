-- The limit: however a script exhausts memory, it gets "not enough memory", the footprint stays within
-- the limit, and the state works on.
local luaunit = require "luaunit"
local support = require "support"
local hakmem = require "hakmem"

local KIB = 1024
local MIB = 1024 * KIB
local LIMIT = 12 * MIB -- while a test runs

hakmem.install()

-- The collector at its defaults.
local function reset_collector()
  if support.version >= 5.4 then collectgarbage("incremental") end
  collectgarbage("restart")
  collectgarbage("setpause", 200)
  collectgarbage("setstepmul", 200)
end

-- Calls `f`, which must run out of memory.
local function exhaust(f, ...)
  local ok, message = pcall(f, ...)
  if not support.collects_when_full then collectgarbage() end
  if ok then error("the limit was not reached", 2) end
  -- The buffers of the string library in 5.3 have a few words more.
  -- And unpack says of a stack that cannot grow that there is too much to unpack.
  if not tostring(message):find("not enough memory", 1, true) and
    not tostring(message):find("too many results to unpack", 1, true) then error(message, 2) end
  return message
end

-- The state is as good as before: it allocates, up to nearly the limit.
local function assert_works_on()
  local keep = {}
  for i = 1, 1000 do keep[i] = { i, "s" .. i, function() return i end } end
  for i = 1, 1000 do assert(keep[i][1] == i and keep[i][2] == "s" .. i and keep[i][3]() == i) end
  keep = nil
  collectgarbage() -- the buffers of the string library do not try that, and that of 5.1 makes garbage
  local bytes = support.version >= 5.2 and 4 * MIB or MIB
  assert(#("x"):rep(bytes) == bytes)
end

-- A class whose tests run under the limit. The framework itself does not, so that it can report.
local function limited_class()
  local function limited(test)
    return function()
      reset_collector()
      collectgarbage()
      collectgarbage()
      hakmem.limit(LIMIT)
      local passed, message = pcall(test)
      reset_collector()
      collectgarbage()
      collectgarbage()
      local works, why_not = pcall(assert_works_on)
      local peak = hakmem.stats().footprint_peak
      hakmem.trim() -- so that the framework, which knows no limit, does not set the peak
      hakmem.limit(0)
      if not passed then error(message, 0) end
      luaunit.assertTrue(works, why_not)
      luaunit.assertTrue(peak <= LIMIT, peak)
    end
  end
  return setmetatable({}, {
    __newindex = function(class, name, test) rawset(class, name, limited(test)) end,
  })
end

TestExhausting = limited_class()

local EXHAUSTERS = {
  an_array = function()
    local t = {}
    while true do t[#t + 1] = #t end
  end,
  a_list_of_tables = function()
    local list
    while true do list = { list } end
  end,
  a_hash = function()
    local t, i = {}, 0
    while true do
      i = i + 1
      t["key" .. i] = true
    end
  end,
  a_table_of_strings = function()
    local t, i = {}, 0
    while true do
      i = i + 1
      t[i] = ("%d,"):rep(20):format(i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i)
    end
  end,
  closures = function()
    local f = print
    while true do
      local g = f
      f = function() return g end
    end
  end,
  coroutines = function()
    local t = {}
    while true do
      local co = coroutine.create(function(...) coroutine.yield(...) end)
      coroutine.resume(co, 1, 2, 3)
      t[#t + 1] = co
    end
  end,
  a_string_doubled = function()
    local s = "x"
    while true do s = s .. s end
  end,
  a_string_grown = function()
    local s = ("x"):rep(MIB)
    while true do s = s .. ("y"):rep(MIB) end
  end,
  a_concatenation_of_many = function()
    local s = ("x"):rep(3 * MIB)
    while true do s = s .. s .. s .. s .. s .. s end
  end,
  string_rep = function() return ("x"):rep(LIMIT) end,
  string_rep_of_much = function() return ("0123456789"):rep(1e8) end,
  string_rep_with_a_separator = function() return ("x"):rep(1e9, ",") end,
  table_concat = function()
    local t, s = {}, ("x"):rep(100 * KIB)
    for i = 1, 1000 do t[i] = s end
    return table.concat(t, ",")
  end,
  string_gsub = function() return (("x"):rep(MIB):gsub("x", ("y"):rep(100))) end,
  string_format = function()
    local s = ("x"):rep(3 * MIB)
    return ("%s%s%s%s%s%s"):format(s, s, s, s, s, s)
  end,
  string_upper = function()
    local t = {}
    while true do t[#t + 1] = (("x"):rep(MIB) .. #t):upper() end
  end,
  unpacking = function()
    local t = {}
    for i = 1, 7000 do t[i] = i end
    local unpack = table.unpack or unpack
    local keep = {}
    while true do keep[#keep + 1] = { unpack(t) } end
  end,
  load_of_much = function()
    local keep = {}
    local load = loadstring or load
    while true do
      keep[#keep + 1] = assert(load("return {" .. ("{1, 'a', function() return x end},"):rep(500) .. "}"))
    end
  end,
}

for name, f in pairs(EXHAUSTERS) do
  if not (name == "string_rep_with_a_separator" and support.version == 5.1 and not support.is_jit) then
    TestExhausting["test_" .. name .. "_is_an_error_that_pcall_catches"] = function()
      exhaust(f)
      assert_works_on()
      exhaust(f)
    end
  end
end

-- Where the stack has a bound of its own, that error may come first.
function TestExhausting:test_deep_recursion_is_an_error_that_pcall_catches()
  local function deep(n) return { deep(n + 1), ("x"):rep(100) .. n } end
  for _ = 1, 3 do
    local ok, message = pcall(deep, 1)
    luaunit.assertFalse(ok)
    luaunit.assertTrue(tostring(message):find("not enough memory", 1, true) ~= nil or
      tostring(message):find("stack overflow", 1, true) ~= nil)
    for _ = 1, 8 do collectgarbage() end -- 5.3 halves what calls have left each time
  end
end

function TestExhausting:test_the_message_is_luas_own()
  luaunit.assertEquals(exhaust(EXHAUSTERS.a_list_of_tables), "not enough memory")
  luaunit.assertEquals(exhaust(EXHAUSTERS.an_array), "not enough memory")
end

TestPlaces = limited_class()

function TestPlaces:test_inside_a_coroutine()
  for _, f in pairs { EXHAUSTERS.a_list_of_tables, EXHAUSTERS.a_string_doubled, EXHAUSTERS.closures } do
    local co = coroutine.create(f)
    local ok, message = coroutine.resume(co)
    local status = coroutine.status(co)
    co = nil -- its stack still holds what it has made
    collectgarbage()
    luaunit.assertFalse(ok)
    luaunit.assertStrContains(message, "not enough memory")
    luaunit.assertEquals(status, "dead")
    assert_works_on()
  end
end

function TestPlaces:test_inside_a_coroutine_that_catches_it()
  local co = coroutine.wrap(function()
    while true do coroutine.yield((pcall(EXHAUSTERS.a_list_of_tables))) end
  end)
  for _ = 1, 5 do
    luaunit.assertIs(co(), false)
    collectgarbage()
    assert_works_on()
  end
end

function TestPlaces:test_inside_many_coroutines_at_once()
  if support.is_jit then return end -- LuaJIT 2.1 crashes, with any allocator
  local cos = {}
  for i = 1, 50 do
    cos[i] = coroutine.create(function()
      local hold = {}
      while true do
        for _ = 1, 200 do hold = { hold } end
        coroutine.yield()
      end
    end)
  end
  local dead = 0
  for _ = 1, 3000 do
    for i = 1, #cos do
      if coroutine.status(cos[i]) ~= "dead" and not coroutine.resume(cos[i]) then
        dead = dead + 1
        cos[i] = nil
        collectgarbage()
        cos[i] = coroutine.create(function() while true do coroutine.yield() end end)
      end
    end
    if dead > 20 then break end
  end
  luaunit.assertTrue(dead > 20)
end

function TestPlaces:test_inside_a_finalizer()
  local begun, ok, message = 0, nil, nil
  local function make()
    support.on_gc(function()
      begun = begun + 1
      ok, message = pcall(EXHAUSTERS.a_list_of_tables)
    end)
  end
  for round = 1, 3 do
    make()
    for _ = 1, 5 do
      if begun < round then collectgarbage() end
    end
    collectgarbage()
    luaunit.assertEquals(begun, round)
    luaunit.assertIs(ok, false)
    luaunit.assertEquals(message, "not enough memory")
    assert_works_on()
  end
end

function TestPlaces:test_an_error_of_memory_leaves_a_finalizer_as_luas_errors_do()
  local begun = 0
  local function make()
    support.on_gc(function()
      begun = begun + 1
      EXHAUSTERS.a_list_of_tables()
    end)
  end
  make()
  for _ = 1, 5 do
    if begun == 0 then pcall(collectgarbage) end
  end
  luaunit.assertEquals(begun, 1)
  collectgarbage()
end

function TestPlaces:test_inside_metamethods_iterators_and_comparisons()
  local t = setmetatable({}, {
    __index = EXHAUSTERS.a_list_of_tables,
    __concat = EXHAUSTERS.a_list_of_tables,
    __lt = EXHAUSTERS.a_list_of_tables,
    __call = EXHAUSTERS.a_list_of_tables,
  })
  exhaust(function() return t.x end)
  exhaust(function() return t .. "x" end)
  exhaust(function() return t < t end)
  exhaust(function() return t() end)
  exhaust(function() for _ in EXHAUSTERS.a_list_of_tables do return end end)
  exhaust(function() return ("x"):gsub("x", EXHAUSTERS.a_list_of_tables) end)
  exhaust(function() table.sort({ 3, 2, 1 }, EXHAUSTERS.a_list_of_tables) end)
  exhaust(function() return (loadstring or load)("local t while true do t = { t } end")() end)
end

function TestPlaces:test_inside_nested_protected_calls()
  local function nested(depth)
    if depth == 0 then return EXHAUSTERS.a_list_of_tables() end
    local ok, message = pcall(nested, depth - 1)
    assert(not ok)
    error(message, 0)
  end
  luaunit.assertEquals(exhaust(nested, 20), "not enough memory")
end

TestCollecting = limited_class()

-- Twenty times the limit goes by, and only the collection that Lua tries when memory runs out keeps it
-- within: the collector itself waits for ten times what lives. (5.1 and LuaJIT try none, so that there
-- the collector must be in time.)
function TestCollecting:test_garbage_is_reclaimed_before_an_error()
  local keep, count = {}, support.collects_when_full and 20000 or 5000
  for i = 1, count do keep[i] = { i } end
  if support.collects_when_full then
    collectgarbage("setpause", 1000)
  else
    collectgarbage("setpause", 100)
    collectgarbage("setstepmul", 1000)
  end
  collectgarbage()
  local bytes, text = 0, ("x"):rep(30000)
  while bytes < 20 * LIMIT do
    local garbage = text .. bytes
    bytes = bytes + #garbage
  end
  for _ = 1, 20 * LIMIT / 64 / 16 do local garbage = { keep } end
  for i = 1, count do assert(keep[i][1] == i) end
end

function TestCollecting:test_large_garbage_is_reclaimed_before_an_error()
  if not support.collects_when_full then return end
  collectgarbage("setpause", 1000)
  local text = ("x"):rep(2 * MIB)
  collectgarbage()
  for i = 1, 200 do
    local s = text .. i .. text
    assert(#s == 4 * MIB + #tostring(i))
  end
end

function TestCollecting:test_generational_collection_works_under_the_limit()
  if support.version < 5.4 then return end
  collectgarbage("generational")
  local keep = {}
  for round = 1, 5 do
    exhaust(EXHAUSTERS.a_list_of_tables)
    for i = 1, 20000 do keep[i] = { i, round } end
    for i = 1, 100000 do local garbage = { i } end
    for i = 1, 20000 do assert(keep[i][1] == i and keep[i][2] == round) end
  end
end

function TestCollecting:test_finalizers_run_in_the_end_although_memory_ran_out()
  local made, finalized = 0, 0
  local function finalize() finalized = finalized + 1 end
  exhaust(function()
    local hold
    while true do
      hold = { hold, support.on_gc(finalize) }
      made = made + 1
    end
  end)
  for _ = 1, 4 do collectgarbage() end
  luaunit.assertTrue(made > 1000)
  luaunit.assertTrue(finalized >= made and finalized <= made + 1)
end

-- In interpreters of their own, whose peaks are theirs.
TestChanging = {}

function TestChanging:test_raising_the_limit_makes_room()
  local output = support.run [[
    local hakmem = require "hakmem"
    hakmem.install { limit = 10e6 }
    local function hold(bytes)
      local t = {}
      for i = 1, bytes / 1e5 do t[i] = ("x"):rep(1e5) .. i end
      return #t
    end
    print(pcall(hold, 20e6))
    collectgarbage()
    hakmem.limit(40e6)
    print(hold(20e6))
    collectgarbage()
    collectgarbage()
    print(hakmem.limit(10e6) == 10e6, hakmem.stats().footprint <= 10e6)
    print(pcall(hold, 20e6))
    print(hakmem.stats().footprint <= 10e6)]]
  luaunit.assertEquals((output:gsub(" for buffer allocation", ""):gsub("\t[^\t]-: not", "\tnot")),
    "false\tnot enough memory\n200\ntrue\ttrue\nfalse\tnot enough memory\ntrue\n")
end

function TestChanging:test_what_is_freed_at_the_limit_can_be_used_again()
  luaunit.assertEquals(support.run [[
    local hakmem = require "hakmem"
    hakmem.install()
    local keep = {}
    for i = 1, 2000 do keep[i] = { i } end
    hakmem.limit(hakmem.stats().footprint + 64 * 1024)
    print((pcall(function()
      local t = {}
      for i = 1, 100000 do t[i] = { i } end
    end)))
    keep = nil
    collectgarbage()
    local again = {}
    for i = 1, 1500 do again[i] = { i } end
    for i = 1, 1500 do assert(again[i][1] == i) end]], "false\n")
end

-- What was made before installing and grows afterwards is in the limit, whatever its size.
function TestChanging:test_arrays_from_before_grow_within_the_limit()
  for _, count in ipairs { 1000, 50000, 200000, 400000 } do
    local output = support.run(([[
      local support = require "support"
      local t, map = {}, {}
      for i = 1, %d do t[i] = i end
      for i = 1, %d do map["k" .. i] = i end
      local hakmem = require "hakmem"
      hakmem.install { limit = 8 * 1024 * 1024 }
      local before = support.rss()
      local ok, message = pcall(function() for i = #t + 1, 4e7 do t[i] = i end end)
      print(ok, message)
      print((pcall(function() for i = 1, 4e7 do map[i .. "x"] = i end end)))
      t, map = nil, nil
      collectgarbage()
      print(support.rss() < before + 20e6, hakmem.stats().footprint_peak <= 8 * 1024 * 1024)]]):format(
      count, count / 10))
    luaunit.assertEquals(output, "false\tnot enough memory\nfalse\ntrue\ttrue\n", count)
  end
end

-- The collector's pace follows the limit: what lives may take most of it, in every version and with the
-- collector as it is set by default. (What lives here is 7 to 8 MiB.)
TestPace = {}

local WORK = {
  records = [[for i = 1, 60000 do live[i] = { i, "s" .. i } end
    for r = 1, 300000 do live[random(60000) + 1] = { r, "s" .. r } end]],
  map = [[for i = 1, 30000 do live["key" .. i] = { i } end
    for r = 1, 200000 do live["key" .. random(30000) + 1] = { r } end]],
  closures = [[for i = 1, 40000 do live[i] = function() return i end end
    for r = 1, 200000 do live[random(40000) + 1] = function() return r end end]],
  texts = [[for i = 1, 2000 do live[i] = ("x"):rep(3000) .. i end
    for r = 1, 20000 do live[random(2000) + 1] = ("y"):rep(3000) .. r end]],
}

local PACED = [[
  local hakmem = require "hakmem"
  hakmem.install { limit = 12 * 1024 * 1024 }
  local live, seed = {}, 0
  local function random(n) seed = (seed * 1103515245 + 12345) %% 2147483648 return seed %% n end
  %s
  print(hakmem.stats().footprint_peak <= 12 * 1024 * 1024)]]

-- From 5.3 on, the buffers of the string library ask the allocator themselves, and do not collect.
if support.version >= 5.3 then WORK.texts = nil end

for name, work in pairs(WORK) do
  TestPace["test_7_mib_live_in_12_" .. name] = function()
    luaunit.assertEquals(support.run(PACED:format(work)), "true\n")
  end
end

function TestPace:test_the_scripts_settings_are_back_when_there_is_room()
  -- What is set meanwhile depends on how much is live; Lua 5.4 keeps a quarter of it.
  for live = 18000, 21500, 500 do
    luaunit.assertEquals(support.run(([[
      local hakmem = require "hakmem"
      hakmem.install { limit = 6 * 1024 * 1024 }
      if _VERSION == "Lua 5.4" then collectgarbage("incremental") end
      collectgarbage("setstepmul", 260)
      collectgarbage("setpause", 180)
      local live = {}
      for i = 1, %d do live[i] = { i, "s" .. i } end
      for r = 1, 200000 do live[r %% %d + 1] = { r, "s" .. r } end
      live = nil
      collectgarbage()
      local t = {}
      for i = 1, 2000 do t[i] = { i } end
      print(collectgarbage("setstepmul", 200), collectgarbage("setpause", 200))]]):format(live, live)),
      "260\t180\n")
  end
end

function TestPace:test_a_stopped_collector_stays_stopped()
  if support.version == 5.1 and not support.is_jit then return end -- 5.1 cannot tell
  luaunit.assertEquals(support.run [[
    local hakmem = require "hakmem"
    hakmem.install { limit = 6 * 1024 * 1024 }
    collectgarbage("stop")
    local weak = setmetatable({ {} }, { __mode = "v" })
    local t = {}
    for i = 1, 40000 do t[i] = { i } end
    print(weak[1] ~= nil)]], "true\n")
end

-- The error is caught and reported, and then the state works: from 5.2 on without a collection by hand.
function TestPace:test_after_a_refusal_the_state_goes_on()
  for _, limit in ipairs { 2, 8, 64 } do
    luaunit.assertEquals(support.run(([[
      local hakmem = require "hakmem"
      hakmem.install { limit = %d * 1024 * 1024 }
      local function greedy()
        local t = {}
        while true do t[#t + 1] = { name = "n" .. #t } end
      end
      for i = 1, 20 do
        local ok, message = pcall(greedy)
        assert(not ok and message == "not enough memory")
        if _VERSION == "Lua 5.1" then collectgarbage() end
        assert(hakmem.stats().refusals > 0)
        local t = {}
        for i = 1, 2000 do t[i] = { i, "text " .. i } end
        assert(#("x"):rep(100000) == 100000)
        assert(#hakmem.stats_json() > 300)
      end
      print(hakmem.stats().footprint_peak <= hakmem.limit())]]):format(limit)), "true\n")
  end
end

-- In the interpreter itself: it reports what was not caught.
function TestPace:test_an_error_of_memory_that_is_not_caught_is_reported()
  local status, _, errors = support.child [[
    local hakmem = require "hakmem"
    hakmem.install { limit = 4 * 1024 * 1024 }
    local function greedy()
      local t = {}
      while true do t[#t + 1] = { name = "n" .. #t } end
    end
    greedy()]]
  luaunit.assertEquals(status, 1)
  luaunit.assertStrContains(errors, "not enough memory")
end

TestForever = {}

-- In an interpreter of its own, with little room, so that a thousand times are soon over.
function TestForever:test_a_thousand_exhaustions_leave_no_growth()
  local output = support.run [[
    local support, hakmem = require "support", require "hakmem"
    hakmem.install { limit = 1024 * 1024 }
    local exhausters = {
      function() local t = {} while true do t[#t + 1] = { #t } end end,
      function() local l while true do l = { l } end end,
      function() local s = "x" while true do s = s .. s end end,
      function() local f while true do local g = f f = function() return g end end end,
      function() local t = {} while true do t[#t + 1] = coroutine.create(print_it) end end,
    }
    -- After many strings the collector of 5.1 needs memory to begin with, for a smaller string table.
    if support.collects_when_full then
      exhausters[#exhausters + 1] = function()
        local t, i = {}, 0
        while true do i = i + 1 t["k" .. i] = i end
      end
    end
    function print_it() print(1) end
    local function measure()
      for _ = 1, 10 do collectgarbage() end -- the string table shrinks by half each time
      local s = hakmem.stats()
      return s.live_bytes, s.footprint, s.superslabs, support.rss()
    end
    local live, footprint, superslabs, rss
    for round = 1, 1000 do
      local ok, message = pcall(exhausters[round % #exhausters + 1])
      if not support.collects_when_full then collectgarbage() end
      assert(not ok and message == "not enough memory", message)
      if round == 100 then live, footprint, superslabs, rss = measure() end
    end
    local live2, footprint2, superslabs2, rss2 = measure()
    print(live2 <= live + 20000 or live2 - live, footprint2 <= 1024 * 1024, superslabs2 <= superslabs,
      rss2 <= rss + 500000 or rss2 - rss, hakmem.stats().footprint_peak <= 1024 * 1024)]]
  luaunit.assertEquals(output, "true\ttrue\ttrue\ttrue\ttrue\n")
end

function TestForever:test_every_profile_holds_the_limit()
  for _, profile in ipairs { "balanced", "lean" } do
    local output = support.run(([[
      local support, hakmem = require "support", require "hakmem"
      hakmem.install { limit = 4e6, profile = "%s" }
      for _ = 1, 20 do
        assert(not pcall(function() local l while true do l = { l } end end))
        if not support.collects_when_full then collectgarbage() end
        assert(not pcall(function() local s = "x" while true do s = s .. s end end))
        if not support.collects_when_full then collectgarbage() end
      end
      print(hakmem.stats().footprint_peak <= 4e6)]]):format(profile))
    luaunit.assertEquals(output, "true\n")
  end
end

support.finish(luaunit)
