-- Endings: the whole transcript of a script that ends, on stdout, on stderr and in the status, is that
-- of the stock interpreter, whether hakmem was installed before it or in its middle.
local luaunit = require "luaunit"
local support = require "support"

TestEndings = {}

local PROLOGUE = [[
  local on_gc = require "support".on_gc
  keep = {}
  for i = 1, 5 do keep[i] = on_gc(function() print("before " .. i) end) end
  if MIDDLE then require "hakmem".install() end
  for i = 6, 10 do keep[i] = on_gc(function() print("after " .. i) end) end
  local file = io.tmpfile()
  keep.file = file
  keep.last = on_gc(function() file:write("x") print(io.type(file)) end)
  local filler = {}
  for i = 1, 5000 do filler[i] = { i, tostring(i), function() return i end } end
  keep.filler = filler
]]

-- A memory address is another one every time.
local function anonymous(text) return (text:gsub("0x%x+", "ADDRESS")) end

local function ending(code, flags)
  local status, output, errors = support.child(code, flags)
  return { status = status, stdout = anonymous(output), stderr = anonymous(errors) }
end

local function ends_alike(code)
  local prologue = PROLOGUE:gsub("\n", " ")
  local stock = ending(prologue .. code)
  luaunit.assertEquals(ending(prologue .. code, "-l hakmem.auto"), stock)
  luaunit.assertEquals(ending("MIDDLE = true " .. prologue .. code), stock)
  return stock
end

function TestEndings:test_the_normal_end_finalizes_as_ever()
  local stock = ends_alike "print('done')"
  luaunit.assertEquals(stock.status, 0)
  luaunit.assertStrMatches(stock.stdout, "done\n.*after 10\nafter 9\n.*before 2\nbefore 1\n")
end

function TestEndings:test_os_exit_with_closing_finalizes_as_ever()
  -- 5.1 has no second argument and ends at once.
  local stock = ends_alike "os.exit(0, true)"
  luaunit.assertEquals(stock.status, 0)
  if support.version >= 5.2 then luaunit.assertStrContains(stock.stdout, "before 1\n") end
  ends_alike "os.exit(true, true)"
  luaunit.assertEquals(ends_alike("os.exit(3, true)").status, 3)
end

function TestEndings:test_os_exit_without_closing_ends_at_once()
  luaunit.assertEquals(ends_alike("os.exit(0, false)").stdout, "")
  luaunit.assertEquals(ends_alike("os.exit(7)").status, 7)
end

function TestEndings:test_os_exit_inside_a_coroutine_ends_as_ever()
  ends_alike "coroutine.wrap(function() print('in') os.exit(0, true) end)()"
  ends_alike "coroutine.wrap(function() print('in') os.exit(2, false) end)()"
end

function TestEndings:test_os_exit_deep_in_calls_ends_as_ever()
  ends_alike [[
    local function f(n) if n == 0 then os.exit(4, true) end f(n - 1) return n end
    pcall(f, 100)]]
end

function TestEndings:test_os_exit_inside_a_finalizer_ends_as_ever()
  ends_alike "on_gc(function() print('out') os.exit(5) end) collectgarbage() collectgarbage()"
  -- At the end of the state, too; not with closing, which Lua would begin twice.
  ends_alike "keep.exit = on_gc(function() print('out') os.exit(5) end)"
end

function TestEndings:test_a_script_killed_by_an_error_ends_as_ever()
  local stock = ends_alike "local function f() error('wrong') end f()"
  luaunit.assertEquals(stock.status, 1)
  luaunit.assertStrContains(stock.stderr, "wrong")
  luaunit.assertStrContains(stock.stdout, "before 1\n")
  ends_alike "error({ code = 2 })"
  ends_alike "error(setmetatable({}, { __tostring = function() return 'as text' end }))"
  ends_alike "coroutine.wrap(function() local x = nil + 1 end)()"
  ends_alike "local t = setmetatable({}, { __index = function(t, k) return t[k .. 'x'] end }) "
end

function TestEndings:test_a_script_that_does_not_compile_ends_as_ever()
  luaunit.assertEquals(ends_alike("local = 5").status, 1)
end

function TestEndings:test_an_error_in_a_finalizer_at_the_end_ends_as_ever()
  ends_alike "keep.wrong = on_gc(function() error('in a finalizer') end)"
  if support.version >= 5.4 then
    ends_alike "warn('@on') keep.wrong = on_gc(function() error('in a finalizer') end)"
  end
end

function TestEndings:test_finalizers_that_collect_at_the_end_end_as_ever()
  ends_alike [[keep.a = on_gc(function() print('begin') collectgarbage() print('end') end)
    keep.b = on_gc(function() coroutine.wrap(function() collectgarbage() end)() print('co') end)
    collectgarbage()]] -- in the middle of a cycle, the collection at the end of 5.3 does not return
end

function TestEndings:test_finalizers_that_allocate_at_the_end_end_as_ever()
  ends_alike [[keep.a = on_gc(function()
    local t = {}
    for i = 1, 30000 do t[i] = { i, tostring(i) } end
    print(#table.concat({ t[1][2], t[30000][2] }), ('x'):rep(1000000):len()) end)]]
end

-- A finalizer from before the installation churns through far more than it keeps: what it frees is
-- used again, although the state is being taken apart.
function TestEndings:test_a_churning_finalizer_at_the_end_does_not_grow()
  local output = support.run [[
    local support = require "support"
    keep = support.on_gc(function()
      local before = support.rss()
      local text = ""
      for i = 1, 3000 do
        local t = {}
        for j = 1, 1000 do t[j] = j end
        if i % 10 == 0 then collectgarbage() end
      end
      print(support.rss() - before < 40e6 or support.rss() - before)
    end)
    require "hakmem".install()
    collectgarbage()]]
  if support.version >= 5.4 then
    -- 5.4 does not collect while a state is closed.
    luaunit.assertStrMatches(output, "%w+\n")
  else
    luaunit.assertEquals(output, "true\n")
  end
end

-- Likewise under a limit, where the finalizer needs what it has let go. (5.1, 5.2 and LuaJIT do not
-- collect in finalizers when memory runs out.)
function TestEndings:test_a_finalizer_at_the_end_can_use_what_it_frees_under_a_limit()
  if support.version < 5.3 then return end
  luaunit.assertEquals(support.run [[
    local hakmem
    keep = require "support".on_gc(function()
      print(hakmem.limit() == 8e6)
      for round = 1, 5 do
        hold = nil
        hold = {}
        for i = 1, 40000 do hold[i] = { i } end
      end
      print(#hold, hold[40000][1])
    end)
    hakmem = require "hakmem"
    hakmem.install { limit = 8e6 }
    hold = {}
    for i = 1, 40000 do hold[i] = { i } end]], "true\n40000\t40000\n")
end

function TestEndings:test_the_module_works_to_the_end()
  luaunit.assertEquals(support.run [[
    local hakmem
    keep = require "support".on_gc(function()
      print(hakmem.installed(), hakmem.install(), hakmem.stats().live_bytes > 1000)
      print(hakmem.profile("lean"), hakmem.trim() >= 0, #hakmem.stats_json() > 300)
    end)
    hakmem = require "hakmem"
    hakmem.install()
    local t = {}
    for i = 1, 1000 do t[i] = { i } end
    keep_too = t]], "true\tfalse\ttrue\nlean\ttrue\ttrue\n")
end

function TestEndings:test_suspended_coroutines_and_cycles_end_as_ever()
  ends_alike [[
    for i = 1, 100 do
      local co = coroutine.wrap(function() local o = on_gc(function() end) coroutine.yield(o) end)
      keep[#keep + 1] = co co() end
    local a, b = {}, {} a.b, b.a = b, a keep.cycle = a]]
end

support.finish(luaunit)
