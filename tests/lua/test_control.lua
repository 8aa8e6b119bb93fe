-- The module as scripts see it: install, prewarm, limit, trim.
local luaunit = require "luaunit"
local support = require "support"
local hakmem = require "hakmem"

local MIB = 1024 * 1024

local before_install = {}
for _, name in ipairs { "stats", "stats_json", "profile", "limit", "trim",
  "heap_name", "prewarm" } do
  before_install[name] = { pcall(hakmem[name]) }
end
local installed_before = hakmem.installed()
local first, second = hakmem.install { name = "control" }, hakmem.install { name = "ignored" }

TestInstall = {}

function TestInstall:test_install_returns_true_then_false()
  luaunit.assertIs(first, true)
  luaunit.assertIs(second, false)
end

function TestInstall:test_installed_tells()
  luaunit.assertIs(installed_before, false)
  luaunit.assertIs(hakmem.installed(), true)
end

function TestInstall:test_installing_twice_keeps_the_first_options()
  luaunit.assertEquals(hakmem.heap_name(), "control")
end

function TestInstall:test_every_function_says_that_install_is_missing()
  for name, result in pairs(before_install) do
    luaunit.assertFalse(result[1], name)
    luaunit.assertStrContains(result[2], "hakmem is not installed")
    luaunit.assertStrContains(result[2], "hakmem.install()")
  end
end

function TestInstall:test_the_build_is_told() luaunit.assertEquals(hakmem.build, "standard") end

function TestInstall:test_version_is_a_version() luaunit.assertStrMatches(hakmem.version, "%d+%.%d+%.%d+") end

function TestInstall:test_require_sets_no_globals()
  local output = support.run [[
    local before = {}
    for name in pairs(_G) do before[name] = true end
    local hakmem = require "hakmem"
    hakmem.install()
    hakmem.stats()
    for name in pairs(_G) do
      if not before[name] then print(name) end
    end]]
  luaunit.assertEquals(output, "")
end

function TestInstall:test_options_reach_the_heap()
  local output = support.run [[
    local hakmem = require "hakmem"
    hakmem.install { profile = "lean", limit = 50e6, name = "my \"heap\"" }
    print(hakmem.profile(), ("%d"):format(hakmem.limit()), hakmem.heap_name())]]
  luaunit.assertEquals(output, 'lean\t50000000\tmy "heap"\n')
end

function TestInstall:test_no_options_are_the_defaults()
  for _, arguments in ipairs { "", "nil", "{}", "{limit = 0}" } do
    local output = support.run(([[
      local hakmem = require "hakmem"
      print(hakmem.install(%s), hakmem.profile(), hakmem.limit(), hakmem.heap_name())]]):format(
      arguments))
    luaunit.assertEquals(output, "true\tbalanced\t0\tlua\n")
  end
end

function TestInstall:test_bad_options_are_errors_that_say_what_is_accepted()
  local output = support.run [[
    local hakmem = require "hakmem"
    local nan = 0/0
    for _, options in ipairs {
      { limits = 1 }, { 5 }, { [true] = 1 }, { profile = "quick" }, { profile = 5 }, { name = {} },
      { limit = "10" }, { limit = -1 }, { limit = nan }, { limit = 2^60 }, { limit = 1.5 },
      { limit = {} }, "lean", 5, true } do
      local ok, message = pcall(hakmem.install, options)
      print(ok, message)
      assert(not hakmem.installed())
    end]]
  local expected = {
    "unknown option 'limits', accepted are: profile, limit, name, settings, over",
    "unknown option 'number', accepted are: profile, limit, name",
    "unknown option 'boolean', accepted are: profile, limit, name",
    "unknown profile 'quick', accepted are: speed, balanced, lean",
    "option 'profile' must be a string, not a number",
    "option 'name' must be a string, not a table",
    "option 'limit' must be a number of bytes, not a string",
    "option 'limit' must be a whole number of bytes from 0 (no limit) to 2^53, not -1",
    "option 'limit' must be a whole number of bytes from 0 (no limit) to 2^53, not",
    "option 'limit' must be a whole number of bytes from 0 (no limit) to 2^53, not 1.15",
    "option 'limit' must be a whole number of bytes from 0 (no limit) to 2^53, not 1.5",
    "option 'limit' must be a number of bytes, not a table",
    "table expected, got string", "table expected, got number", "table expected, got boolean",
  }
  local lines = {}
  for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
  luaunit.assertEquals(#lines, #expected)
  for i, message in ipairs(expected) do
    luaunit.assertStrMatches(lines[i], "false\t.*")
    luaunit.assertStrContains(lines[i], message)
  end
end

function TestInstall:test_a_limit_too_small_to_install_is_an_error()
  local output = support.run [[
    local hakmem = require "hakmem"
    print(pcall(hakmem.install, { limit = 1 }))
    print(hakmem.installed(), hakmem.install())]]
  luaunit.assertStrContains(output, "not enough memory")
  luaunit.assertStrContains(output, "false\ttrue\n")
end

TestAuto = {}

function TestAuto:test_an_unchanged_script_runs_on_hakmem()
  local script = [[
    local t = {}
    for i = 1, 1000 do t[i] = { i, tostring(i) } end
    print(#t, t[1000][2], ...)
    print(arg[1], arg[2])
    print(require "hakmem".installed())]]
  luaunit.assertEquals(support.run(script, "-l hakmem.auto", "one two"),
    "1000\t1000\tone\ttwo\none\ttwo\ntrue\n")
  luaunit.assertEquals(support.run(script, "", "one two"):match("(%a+)\n$"), "false")
end

function TestAuto:test_lua_init_installs_too()
  luaunit.assertEquals(support.run("print(require 'hakmem'.installed())", "", "",
    "LUA_INIT='require \"hakmem.auto\"'"), "true\n")
end

function TestAuto:test_an_unchanged_script_sees_no_new_globals()
  local script = [[
    local names = {}
    for name in pairs(_G) do names[#names + 1] = name end
    table.sort(names)
    print(table.concat(names, " "))]]
  local seen = support.run(script, "-l hakmem.auto"):gsub(" hakmem%.auto", "")
  luaunit.assertEquals(seen, (support.run(script)))
end

function TestAuto:test_the_environment_chooses_the_profile()
  luaunit.assertEquals(support.run("print(require 'hakmem'.profile())", "-l hakmem.auto", "",
    "HAKMEM_PROFILE=lean"), "lean\n")
  local status, output, errors = support.child("print(require 'hakmem'.profile())",
    "-l hakmem.auto", "", "HAKMEM_PROFILE=quick")
  luaunit.assertEquals(status, 0)
  luaunit.assertEquals(output, "balanced\n")
  luaunit.assertStrContains(errors, "HAKMEM_PROFILE")
  luaunit.assertStrContains(errors, "speed, balanced, lean")
  luaunit.assertEquals(select(2, errors:gsub("\n", "")), 1)
end

TestPrewarm = {}

function TestPrewarm:test_memory_is_touched_ahead_and_kept()
  luaunit.assertEquals(hakmem.prewarm(8 * MIB), 8 * MIB)
  collectgarbage()
  luaunit.assertTrue(hakmem.stats().retained >= 7 * MIB)
  luaunit.assertTrue(hakmem.trim() >= 7 * MIB)
  support.fails_with("whole number of bytes", hakmem.prewarm, -1)
end

TestLimit = {}

function TestLimit:tearDown() hakmem.limit(0) end

function TestLimit:test_a_limit_can_be_read_set_and_lifted()
  luaunit.assertEquals(hakmem.limit(), 0)
  luaunit.assertEquals(hakmem.limit(200 * MIB), 200 * MIB)
  luaunit.assertEquals(hakmem.limit(), 200 * MIB)
  luaunit.assertEquals(hakmem.stats().limit, 200 * MIB)
  luaunit.assertEquals(hakmem.limit(0), 0)
  luaunit.assertEquals(hakmem.limit(), 0)
  support.assert_count(hakmem.limit(), "limit")
end

function TestLimit:test_a_bad_limit_is_an_error_and_changes_nothing()
  hakmem.limit(300 * MIB)
  support.fails_with("from 0 %(no limit%) to 2^53, not %-1", hakmem.limit, -1)
  support.fails_with("whole number of bytes", hakmem.limit, 2.5)
  support.fails_with("whole number of bytes", hakmem.limit, 1 / 0)
  support.fails_with("whole number of bytes", hakmem.limit, 2 ^ 54)
  support.fails_with("not a number", hakmem.limit, 0 / 0)
  support.fails_with("number expected, got string", hakmem.limit, "much")
  support.fails_with("number expected, got table", hakmem.limit, {})
  support.fails_with("number expected, got nil", hakmem.limit, nil)
  support.fails_with("no value expected", hakmem.limit, 300 * MIB, 1)
  luaunit.assertEquals(hakmem.limit(), 300 * MIB)
end

function TestLimit:test_a_limit_below_what_is_in_use_is_an_error_and_changes_nothing()
  hakmem.limit(300 * MIB)
  local ok, message = pcall(hakmem.limit, 4096)
  luaunit.assertFalse(ok)
  local in_use = tonumber(message:match("limit of 4096 bytes is below the (%d+) bytes in use"))
  luaunit.assertTrue(in_use >= hakmem.stats().live_bytes)
  luaunit.assertEquals(hakmem.limit(), 300 * MIB)
end

function TestLimit:test_setting_a_limit_gives_back_what_is_retained()
  hakmem.profile "speed"
  support.drop_tables(100000)
  local s = hakmem.stats()
  luaunit.assertTrue(s.retained > 2 * MIB)
  local bytes = s.footprint - s.retained + MIB
  luaunit.assertEquals(hakmem.limit(bytes), bytes)
  luaunit.assertTrue(hakmem.stats().footprint <= bytes)
  hakmem.profile "balanced"
end

TestTrim = {}

function TestTrim:test_trim_returns_how_much_went_back_to_the_os()
  support.drop_tables(100000)
  local rss, before = support.rss(), hakmem.stats()
  local given = hakmem.trim()
  local after = hakmem.stats()
  support.assert_count(given, "given back")
  luaunit.assertTrue(given >= before.retained - 65536) -- the table of the statistics took some
  luaunit.assertEquals(after.retained, 0)
  luaunit.assertTrue(after.footprint <= before.footprint - before.retained + 65536)
  luaunit.assertTrue(rss - support.rss() > given / 2)
  hakmem.trim()
  luaunit.assertTrue(hakmem.trim() < 65536)
end

function TestTrim:test_functions_refuse_arguments_they_do_not_have()
  for _, name in ipairs { "trim", "stats", "stats_json", "heap_name" } do
    support.fails_with("no value expected", hakmem[name], 1)
  end
end

TestErrors = {}

-- A first thread-local variable would need memory of the C library: glibc would end the process. Only
-- LuaJIT can call setrlimit.
function TestErrors:test_what_is_wrong_is_said_where_the_c_library_has_no_memory()
  if not support.is_jit then return end
  local output = support.run [[
    local ffi = require "ffi"
    local hakmem = require "hakmem"
    ffi.cdef "typedef struct { unsigned long now, most; } limits; int setrlimit(int, const limits *); void *malloc(size_t);"
    local ADDRESS_SPACE, KIB = 9, 1024
    hakmem.install()
    local wrong = { { hakmem.limit, 1 }, { hakmem.profile, "fast" }, { hakmem.heap_map, "/nowhere/map" } }
    local told = {}
    local file = io.open "/proc/self/statm"
    local size = tonumber(file:read "*n") * 4 * KIB
    file:close()
    ffi.C.setrlimit(ADDRESS_SPACE, ffi.new("limits", size, -1))
    for _, bytes in ipairs { 64 * KIB, 4 * KIB, KIB, 256, 16 } do
      while ffi.C.malloc(bytes) ~= nil do end
    end
    for i, call in ipairs(wrong) do told[i] = select(2, pcall(call[1], call[2])) end
    ffi.C.setrlimit(ADDRESS_SPACE, ffi.new("limits", -1, -1))
    print(table.concat(told, "\n"))]]
  luaunit.assertStrContains(output, "bytes in use")
  luaunit.assertStrContains(output, "unknown profile 'fast'")
  luaunit.assertStrContains(output, "cannot write '/nowhere/map'")
end

support.finish(luaunit)
