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
  support.tune("pause", 200)
  support.tune("stepmul", 200)
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
    support.tune("pause", 1000)
  else
    support.tune("pause", 100)
    support.tune("stepmul", 1000)
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
  support.tune("pause", 1000)
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

support.finish(luaunit)
