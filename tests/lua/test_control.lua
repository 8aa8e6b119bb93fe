-- The module as scripts see it: install, options, stats, profile, limit, trim.
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

local function fails_with(pattern, f, ...)
  local ok, message = pcall(f, ...)
  luaunit.assertFalse(ok)
  luaunit.assertStrMatches(message, ".*" .. pattern .. ".*")
end

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

TestStats = {}

-- docs/lua-scripts.md, "The statistics".
local NUMBERS = { "live_bytes", "live_blocks", "large_bytes", "large_blocks", "huge_bytes",
  "huge_blocks", "footprint", "footprint_peak", "retained", "committed", "metadata", "limit",
  "limit_left", "superslabs", "refills", "retires", "purges", "refusals" }
local PROCESS = { "heaps", "footprint", "retained", "pooled", "committed", "reserved", "resident",
  "page_faults", "major_faults", "superslabs_taken", "superslabs_given", "huge_blocks_taken",
  "huge_blocks_refused", "spill_regions", "madvise_enomem", "madvise_other", "madvise_disabled" }
local OS_CALLS = { "mmap", "madvise", "mremap", "munmap", "failed", "total" }
local CLASS = { "size", "live", "slabs", "footprint" }

local function assert_count(value, what)
  luaunit.assertIsNumber(value, what)
  luaunit.assertTrue(value >= 0 and value == math.floor(value), what)
  if support.has_integers then luaunit.assertEquals(math.type(value), "integer", what) end
end

-- `object` has the counts `names` and, beside them, only `others`.
-- What an object has by name, and of which type, entries of lists by the first of them.
local function shape(object)
  if type(object) ~= "table" then return type(object) end
  if #object > 0 then return { shape(object[1]) } end
  local shapes = {}
  for key, value in pairs(object) do shapes[key] = shape(value) end
  return shapes
end

local function assert_counts(object, names, others)
  local left = {}
  for key in pairs(object) do left[key] = true end
  for _, name in ipairs(names) do
    assert_count(object[name], name)
    left[name] = nil
  end
  for _, name in ipairs(others or {}) do
    luaunit.assertNotNil(object[name], name)
    left[name] = nil
  end
  luaunit.assertNil((next(left)))
end

local function assert_shape(stats)
  assert_counts(stats, NUMBERS,
    { "os_calls", "classes", "kinds", "name", "version", "profile", "fragmentation" })
  assert_counts(stats.os_calls, OS_CALLS)
  luaunit.assertTrue(#stats.classes > 0)
  luaunit.assertTrue(stats.fragmentation >= 0 and stats.fragmentation < 1)
  for _, class in ipairs(stats.classes) do
    assert_counts(class, CLASS, { "fragmentation" })
    luaunit.assertTrue(class.fragmentation >= 0 and class.fragmentation <= 1)
  end
end

function TestStats:test_every_documented_key_is_there_and_no_other()
  assert_shape(hakmem.stats())
end

function TestStats:test_the_process_has_statistics_too()
  local stats = hakmem.process_stats()
  assert_counts(stats, PROCESS, { "os_calls", "version" })
  assert_counts(stats.os_calls, OS_CALLS)
  luaunit.assertTrue(stats.heaps >= 1 and stats.footprint >= hakmem.stats().live_bytes)
  luaunit.assertTrue(stats.resident >= stats.footprint and stats.reserved >= stats.committed)
  local json = support.decode_json(hakmem.process_stats_json())
  assert_counts(json, PROCESS, { "os_calls", "version" })
  luaunit.assertEquals(json.heaps, stats.heaps)
end

function TestStats:test_numbers_agree_with_each_other()
  local keep = {}
  for i = 1, 3000 do keep[i] = { i, ("x"):rep(i % 2000) } end
  keep.large = ("x"):rep(5 * MIB)
  local s = hakmem.stats()
  local blocks, bytes, footprint, last = 0, 0, 0, 0
  for _, class in ipairs(s.classes) do
    luaunit.assertTrue(class.size > last)
    luaunit.assertTrue(class.footprint > 0)
    last = class.size
    blocks = blocks + class.live
    bytes = bytes + class.live * class.size
    footprint = footprint + class.footprint
  end
  luaunit.assertEquals(blocks + s.large_blocks, s.live_blocks)
  luaunit.assertEquals(bytes + s.large_bytes, s.live_bytes)
  luaunit.assertTrue(s.large_bytes >= 5 * MIB)
  luaunit.assertTrue(s.live_bytes <= s.footprint)
  luaunit.assertTrue(footprint + s.large_bytes <= s.footprint)
  luaunit.assertTrue(s.footprint <= s.footprint_peak)
  luaunit.assertTrue(s.retained <= s.footprint)
  luaunit.assertTrue(s.superslabs >= 1)
  local calls = s.os_calls
  luaunit.assertEquals(calls.mmap + calls.madvise + calls.mremap + calls.munmap,
    calls.total)
end

local function live()
  collectgarbage()
  collectgarbage()
  return hakmem.stats().live_bytes
end

-- Arrays of LuaJIT have a word more than a power of two. Of others the classes are an eighth apart.
function TestStats:test_arrays_of_luajit_have_classes_of_their_own()
  local arrays, sizes = {}, {}
  for i = 1, 1000 do
    arrays[i] = {}
    for j = 1, 32 do arrays[i][j] = j end
  end
  for _, class in ipairs(hakmem.stats().classes) do sizes[class.size] = class.live end
  luaunit.assertEquals((sizes[264] or 0) >= #arrays, support.is_jit)
  if support.is_jit then luaunit.assertNil(sizes[288]) end
end

function TestStats:test_live_bytes_grow_and_shrink_with_objects()
  local before = live()
  local keep = {}
  for i = 1, 20000 do keep[i] = { i } end
  local during = live()
  luaunit.assertTrue(during - before > 20000 * 40)
  luaunit.assertTrue(during - before < 20000 * 200)
  keep = nil
  luaunit.assertTrue(live() - before < 20000)
end

function TestStats:test_live_blocks_count_blocks()
  collectgarbage()
  collectgarbage("stop")
  local keep = { nil, nil, nil, nil, nil, nil, nil, nil, nil, nil }
  local before = hakmem.stats().live_blocks
  local again = hakmem.stats().live_blocks
  local of_stats = again - before
  for i = 1, 10 do keep[i] = coroutine.create(fails_with) end
  local after = hakmem.stats().live_blocks
  collectgarbage("restart")
  -- A coroutine is its record and its stack, and in 5.1 and LuaJIT perhaps its call records.
  local made = after - again - of_stats
  luaunit.assertTrue(made >= 20 and made <= 32, made)
end

-- The same script twice, with the same strings, so that both snapshots are of the same heap.
local SNAPSHOT = [[
  collectgarbage("stop") -- when it comes depends on where strings happen to lie
  local hakmem = require "hakmem"
  hakmem.install { name = "a \"b\" \\ \n\tc", limit = 30e6 }
  local t = {}
  for i = 1, 5000 do t[i] = { i, ("x"):rep(i % 300) } end
  t[1] = ("x"):rep(3e6)
  local function show(prefix, object)
    for key, value in pairs(object) do
      if type(value) == "table" then show(prefix .. key .. ".", value)
      elseif type(value) == "number" then print(("%s%s %.6g"):format(prefix, key, value)) end
    end
  end
  collectgarbage()
  collectgarbage("stop")
  if arg[1] == "json" then io.write(hakmem.stats_json())
  else show("", hakmem.stats()) end]]

-- A line of one that the other does not have; nil if they say the same.
local function difference(json, text)
  local left, lines = {}, 0
  for line in text:gmatch("[^\n]+") do
    left[line] = true
    lines = lines + 1
  end
  luaunit.assertTrue(lines > 30)
  local function compare(prefix, object)
    for key, value in pairs(object) do
      local line = type(value) == "number" and ("%s%s %.6g"):format(prefix, key, value)
      local found = type(value) == "table" and compare(prefix .. key .. ".", value)
      if found then return found end
      if line and not left[line] then return line end
      if line then left[line] = nil end
    end
  end
  return compare("", json) or next(left)
end

function TestStats:test_stats_json_says_the_same_as_stats()
  local different
  for _ = 1, 6 do -- what is garbage may depend on where strings happen to lie
    local json = support.decode_json((support.run(SNAPSHOT, "", "json text")))
    luaunit.assertEquals(json.name, 'a "b" \\ \n\tc')
    luaunit.assertEquals(json.version, hakmem.version)
    luaunit.assertEquals(json.profile, "balanced")
    assert_shape(json)
    different = difference(json, (support.run(SNAPSHOT, "", "text json")))
    if not different then break end
  end
  luaunit.assertNil(different)
end

-- Those of kinds too: test_kinds.lua.
function TestStats:test_tables_have_the_shape_of_json()
  local stats, json = hakmem.stats(), support.decode_json(hakmem.stats_json())
  luaunit.assertEquals(shape(stats), shape(json))
  for _, name in ipairs { "version", "name", "profile" } do
    luaunit.assertEquals(stats[name], json[name])
  end
  luaunit.assertEquals({ stats.name, stats.profile }, { hakmem.heap_name(), hakmem.profile() })
  luaunit.assertEquals(shape(hakmem.process_stats()),
    shape(support.decode_json(hakmem.process_stats_json())))
end

TestProfile = {}

function TestProfile:test_a_profile_can_be_read_and_switched()
  luaunit.assertEquals(hakmem.profile(), "balanced")
  for _, name in ipairs { "lean", "speed", "balanced" } do
    luaunit.assertEquals(hakmem.profile(name), name)
    luaunit.assertEquals(hakmem.profile(), name)
  end
end

function TestProfile:test_an_unknown_profile_is_an_error_and_changes_nothing()
  fails_with("unknown profile 'quick', accepted are: speed, balanced, lean", hakmem.profile, "quick")
  fails_with("string expected", hakmem.profile, {})
  luaunit.assertEquals(hakmem.profile(), "balanced")
end

function TestProfile:test_lean_gives_back_what_speed_retains()
  hakmem.profile "speed"
  local keep = {}
  for i = 1, 50000 do keep[i] = { i } end
  keep = nil
  collectgarbage()
  collectgarbage()
  luaunit.assertTrue(hakmem.stats().retained > MIB)
  hakmem.profile "lean"
  luaunit.assertTrue(hakmem.stats().retained < MIB)
  hakmem.profile "balanced"
end

function TestProfile:test_a_thousand_switches_under_load_lose_nothing()
  local names = { "lean", "speed", "balanced" }
  local kept = {}
  for i = 1, 1000 do
    hakmem.profile(names[i % 3 + 1])
    for j = 1, 40 do
      local slot = (i * 7919 + j * 104729) % 3000 + 1
      local old = kept[slot]
      if old then luaunit.assertTrue(#old[1] == old[2] and old[1]:byte() == 97 + slot % 26) end
      local size = (slot * j) % (j == 1 and 60000 or 900) + 1
      kept[slot] = { string.char(97 + slot % 26):rep(size), size }
    end
    if i % 100 == 0 then hakmem.configure { retain_least = i * 100, decommit = "FREE" } end
  end
  for slot, each in pairs(kept) do
    luaunit.assertTrue(each[1] == string.char(97 + slot % 26):rep(each[2]))
  end
  hakmem.profile "balanced"
end

-- Slabs that the heap allocates from stay when they are empty, and are no slabs that retire.
function TestProfile:test_a_cycle_of_the_collector_gives_back_what_the_profile_does_not_retain()
  local output = support.run [[
    local hakmem = require "hakmem"
    hakmem.install { profile = "speed", settings = "retain_least=0 retain_part=0" }
    for round = 1, 3 do
      do
        local t = {}
        for i = 1, 20000 do t[i] = { ("x"):rep(i % 2000) } end
      end
      collectgarbage()
      collectgarbage()
      local after = hakmem.stats().footprint
      hakmem.trim()
      print(after <= hakmem.stats().footprint * 1.25 + 65536) -- of some MiB
    end]]
  luaunit.assertEquals(output, "true\ntrue\ntrue\n")
end

local function option(name)
  for _, each in ipairs(hakmem.options()) do
    if each.name == name then return each end
  end
end

TestOptions = {}

function TestOptions:tearDown() hakmem.profile "balanced" end

function TestOptions:test_every_option_has_a_variable_a_value_and_an_origin()
  luaunit.assertTrue(#hakmem.options() >= 10)
  for _, each in ipairs(hakmem.options()) do
    for _, key in ipairs { "name", "variable", "type", "range", "value", "origin", "help" } do
      luaunit.assertIsString(each[key], key)
    end
    luaunit.assertStrMatches(each.variable, "HAKMEM_[A-Z_]+")
  end
end

function TestOptions:test_settings_refine_the_profile()
  hakmem.configure { retain_least = 2 ^ 20, mem_lean = true, decommit = "OFF" }
  luaunit.assertEquals(hakmem.profile(), "custom")
  luaunit.assertEquals(option("retain_least").value, "1048576")
  luaunit.assertEquals(option("retain_least").origin, "heap")
  luaunit.assertEquals(option("mem_lean").value, "1")
  luaunit.assertEquals(option("decommit").value, "OFF")
  hakmem.configure "pool=64k carve=8192"
  luaunit.assertEquals(option("pool").value, "65536")
  luaunit.assertEquals(option("retain_least").value, "1048576")
  hakmem.profile "lean"
  luaunit.assertEquals(option("pool").origin, "profile")
end

function TestOptions:test_what_is_not_accepted_is_an_error_that_says_what_is()
  fails_with("unknown option 'x', accepted are: mem_lean, warm_pool", hakmem.configure, { x = 1 })
  fails_with("option 'carve' cannot be '1', accepted are: 4096 to", hakmem.configure, { carve = 1 })
  fails_with("option 'carve' cannot be 'table'", hakmem.configure, { carve = {} })
  fails_with("settings have names", hakmem.configure, { 3 })
  fails_with("table expected", hakmem.configure)
  fails_with("table expected", hakmem.configure, 5)
  luaunit.assertEquals(hakmem.profile(), "balanced")
end

function TestOptions:test_they_can_be_given_to_install()
  local output = support.run [[
    local hakmem = require "hakmem"
    print(pcall(hakmem.install, { settings = "wake=99" }))
    print(hakmem.installed())
    hakmem.install { profile = "lean", settings = { wake = 7 } }
    for _, each in ipairs(hakmem.options()) do
      if each.name == "wake" then print(hakmem.profile(), each.value, each.origin) end
    end]]
  luaunit.assertStrContains(output, "option 'wake' cannot be '99', accepted are: 1 to 31\nfalse\n")
  luaunit.assertStrContains(output, "custom\t7\theap")
end

function TestOptions:test_the_environment_counts_before_install_too()
  local output = support.run([[
    local hakmem = require "hakmem"
    for _, each in ipairs(hakmem.options()) do
      if each.name == "wake" then print(each.value, each.origin) end
    end]], "", "", "HAKMEM_WAKE=9")
  luaunit.assertEquals(output, "9\tenvironment\n")
end

function TestOptions:test_a_lua_that_ignores_the_environment_ignores_ours()
  local tell = ("package.cpath = %q\n"):format(package.cpath) .. [[
    %s
    for _, each in ipairs(require "hakmem".options()) do
      if each.name == "wake" then print(each.origin) end
    end]]
  local without = tell:format ""
  luaunit.assertEquals(support.run(without, "", "", "HAKMEM_WAKE=9"), "environment\n")
  if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then return end -- it has no -E
  luaunit.assertEquals(support.run(without, "-E", "", "HAKMEM_WAKE=9"), "profile\n")
  luaunit.assertEquals(support.run(tell:format 'require "hakmem.auto"', "-E", "", "HAKMEM_WAKE=9"),
    "profile\n")
end

function TestOptions:test_the_old_names_of_profiles_are_accepted()
  luaunit.assertEquals(hakmem.profile "MIXED_TINYV3_C7_BALANCED", "balanced")
  luaunit.assertEquals(hakmem.profile "MIXED_TINYV3_C7_SAFE", "speed")
end

TestPrewarm = {}

function TestPrewarm:test_memory_is_touched_ahead_and_kept()
  luaunit.assertEquals(hakmem.prewarm(8 * MIB), 8 * MIB)
  collectgarbage()
  luaunit.assertTrue(hakmem.stats().retained >= 7 * MIB)
  luaunit.assertTrue(hakmem.trim() >= 7 * MIB)
  fails_with("whole number of bytes", hakmem.prewarm, -1)
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
  assert_count(hakmem.limit(), "limit")
end

function TestLimit:test_a_bad_limit_is_an_error_and_changes_nothing()
  hakmem.limit(300 * MIB)
  fails_with("from 0 %(no limit%) to 2^53, not %-1", hakmem.limit, -1)
  fails_with("whole number of bytes", hakmem.limit, 2.5)
  fails_with("whole number of bytes", hakmem.limit, 1 / 0)
  fails_with("whole number of bytes", hakmem.limit, 2 ^ 54)
  fails_with("not a number", hakmem.limit, 0 / 0)
  fails_with("number expected, got string", hakmem.limit, "much")
  fails_with("number expected, got table", hakmem.limit, {})
  fails_with("number expected, got nil", hakmem.limit, nil)
  fails_with("no value expected", hakmem.limit, 300 * MIB, 1)
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
  local keep = {}
  for i = 1, 100000 do keep[i] = { i } end
  keep = nil
  collectgarbage()
  collectgarbage()
  local s = hakmem.stats()
  luaunit.assertTrue(s.retained > 2 * MIB)
  local bytes = s.footprint - s.retained + MIB
  luaunit.assertEquals(hakmem.limit(bytes), bytes)
  luaunit.assertTrue(hakmem.stats().footprint <= bytes)
  hakmem.profile "balanced"
end

TestTrim = {}

function TestTrim:test_trim_returns_how_much_went_back_to_the_os()
  local keep = {}
  for i = 1, 100000 do keep[i] = { i } end
  keep = nil
  collectgarbage()
  collectgarbage()
  local rss, before = support.rss(), hakmem.stats()
  local given = hakmem.trim()
  assert_count(given, "given back")
  local after = hakmem.stats()
  luaunit.assertTrue(given >= before.retained - 65536) -- the table of the statistics took some
  luaunit.assertEquals(after.retained, 0)
  luaunit.assertTrue(after.footprint <= before.footprint - before.retained + 65536)
  luaunit.assertTrue(rss - support.rss() > given / 2)
  hakmem.trim()
  luaunit.assertTrue(hakmem.trim() < 65536)
end

function TestTrim:test_functions_refuse_arguments_they_do_not_have()
  for _, name in ipairs { "trim", "stats", "stats_json", "heap_name" } do
    fails_with("no value expected", hakmem[name], 1)
  end
end

-- The text of openmetrics(): tests/docs compares its names with Python's.
TestMetrics = {}

function TestMetrics:test_the_text_has_every_number()
  luaunit.assertEquals(support.run [[
    local hakmem = require "hakmem"
    hakmem.install { limit = 2^30 }
    local keep = {}
    for i = 1, 3000 do keep[i] = ("x"):rep(i) end
    collectgarbage("stop")
    local text = hakmem.openmetrics()
    local stats, process = hakmem.stats(), hakmem.process_stats()
    assert(text:sub(-6) == "# EOF\n")
    local values, families = {}, {}
    for line in text:gmatch("[^\n]+") do
      local family = line:match("^# TYPE (%S+) %a+$")
      if family then
        assert(not families[family], family)
        families[family] = true
      elseif line:sub(1, 1) ~= "#" then
        local name, value = line:match("^(hakmem_[%w_]+)%S* (%d[%d.]*)$")
        values[assert(name, line)] = tonumber(value)
      end
    end
    local function has(prefix, name)
      for _, suffix in ipairs { "", "_bytes", "_total" } do
        if values[prefix .. name .. suffix] then return values[prefix .. name .. suffix] end
      end
      error(name)
    end
    for name, number in pairs(stats) do
      if type(number) == "number" and name ~= "fragmentation" then has("hakmem_", name) end
    end
    for name, number in pairs(process) do
      if type(number) == "number" then has("hakmem_process_", name) end
    end
    assert(has("hakmem_", "limit") == 2^30 and has("hakmem_", "fragmentation_ratio") <= 1)
    assert(has("hakmem_", "live_bytes") > 4e6 and has("hakmem_", "os_calls") >= 0)
    assert(has("hakmem_class_", "live_blocks") >= 0)
    print((pcall(hakmem.openmetrics, 1)))]], "false\n")
end

function TestMetrics:test_without_a_heap_it_is_an_error()
  luaunit.assertStrContains(support.run [[
    print(pcall(require "hakmem".openmetrics))]], "call hakmem.install() first")
end

support.finish(luaunit)
