-- Profiles and options, as scripts read and set them.
local luaunit = require "luaunit"
local support = require "support"
local hakmem = require "hakmem"

local MIB = 1024 * 1024

hakmem.install { name = "options" }

TestProfile = {}

function TestProfile:test_a_profile_can_be_read_and_switched()
  luaunit.assertEquals(hakmem.profile(), "balanced")
  for _, name in ipairs { "lean", "speed", "balanced" } do
    luaunit.assertEquals(hakmem.profile(name), name)
    luaunit.assertEquals(hakmem.profile(), name)
  end
end

function TestProfile:test_an_unknown_profile_is_an_error_and_changes_nothing()
  support.fails_with("unknown profile 'quick', accepted are: speed, balanced, lean", hakmem.profile, "quick")
  support.fails_with("string expected", hakmem.profile, {})
  luaunit.assertEquals(hakmem.profile(), "balanced")
end

function TestProfile:test_lean_gives_back_what_speed_retains()
  hakmem.profile "speed"
  support.drop_tables(50000)
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
  support.fails_with("unknown option 'x', accepted are: mem_lean, warm_pool", hakmem.configure, { x = 1 })
  support.fails_with("option 'carve' cannot be '1', accepted are: 4096 to", hakmem.configure, { carve = 1 })
  support.fails_with("option 'carve' cannot be '8192.5', accepted are: 4096 to", hakmem.configure,
    { carve = 8192.5 })
  support.fails_with("option 'retain_least' cannot be '1125899906842624'", hakmem.configure,
    { retain_least = 2 ^ 50 })
  support.fails_with("option 'carve' cannot be 'table'", hakmem.configure, { carve = {} })
  support.fails_with("settings have names", hakmem.configure, { 3 })
  support.fails_with("table expected", hakmem.configure)
  support.fails_with("table expected", hakmem.configure, 5)
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

support.finish(luaunit)
