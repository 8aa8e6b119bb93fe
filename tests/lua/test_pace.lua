-- Living with a limit, in interpreters of their own, whose peaks are theirs: the limit changes, the
-- collector keeps pace with it, and a thousand exhaustions leave nothing.
local luaunit = require "luaunit"
local support = require "support"

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
  -- What is set meanwhile depends on how much is live; Lua 5.4 keeps a quarter of it, 5.5 a few digits.
  for live = 18000, 21500, 500 do
    luaunit.assertEquals(support.run(([[
      local hakmem, support = require "hakmem", require "support"
      hakmem.install { limit = 6 * 1024 * 1024 }
      if support.version >= 5.4 then collectgarbage("incremental") end
      support.tune("stepmul", 400)
      support.tune("pause", 300)
      local live = {}
      for i = 1, %d do live[i] = { i, "s" .. i } end
      for r = 1, 200000 do live[r %% %d + 1] = { r, "s" .. r } end
      live = nil
      collectgarbage()
      local t = {}
      for i = 1, 2000 do t[i] = { i } end
      print(support.tune("stepmul", 200), support.tune("pause", 200))]]):format(live, live)),
      "400\t300\n")
  end
end

-- What a script sets while its collector is pressed holds afterwards, and is not lowered meanwhile. In 5.1,
-- 0 is the fastest.
function TestPace:test_what_the_script_sets_meanwhile_holds()
  luaunit.assertEquals(support.run [[
    local hakmem, support = require "hakmem", require "support"
    if support.version >= 5.4 then collectgarbage("incremental") end
    local function kept(percent) -- what the version keeps of it
      support.tune("stepmul", percent)
      return support.tune("stepmul", percent)
    end
    local settings = {}
    for round = 1, 30 do settings[round] = { kept(500 - 4 * round), kept(260 + 4 * round) } end
    hakmem.install { limit = 6 * 1024 * 1024 }
    support.tune("pause", 1000) -- only the limit begins a cycle
    local live = {}
    local function work(rounds)
      for r = 1, rounds do live[r % 6000 + 1] = { r, { r } } end
    end
    for round = 1, 30 do
      local first, second = settings[round][1], settings[round][2]
      support.tune("stepmul", first)
      work(1000 * round)
      pcall(string.rep, "x", 700000) -- perhaps to where the collector is to hurry
      local meanwhile = support.tune("stepmul", second)
      assert(meanwhile >= first or meanwhile == 0, meanwhile)
      work(20000)
      collectgarbage()
      local _ = ("x"):rep(100000) -- from 5.4 on, the heap waits for its next slow path
      local afterwards = support.tune("stepmul", second)
      assert(afterwards == second, afterwards)
    end]], "")
end

-- Near to the limit a cycle is done at once, however slow the script has set it.
function TestPace:test_the_collector_hurries_near_to_the_limit()
  if support.version ~= 5.1 or support.is_jit then return end
  luaunit.assertEquals(support.run [[
    local hakmem, support = require "hakmem", require "support"
    hakmem.install { limit = 8 * 1024 * 1024 }
    support.tune("pause", 1000) -- only the limit begins a cycle
    local weak = setmetatable({ {} }, { __mode = "v" })
    local live, set = nil, 1
    local function fill(bytes)
      support.tune("stepmul", 1)
      while hakmem.stats().footprint < bytes and set == 1 do
        for i = 1, 100 do live = { live } end -- no array, which grows by much at once
        set = support.tune("stepmul", 1)
      end
    end
    fill(7000000)
    print(set > 1, weak[1] ~= nil)
    set = 1
    fill(8200000)
    print(weak[1] == nil, hakmem.stats().refusals)]], "true\ttrue\ntrue\t0\n")
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
local EXHAUSTED = [[
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
  print(hakmem.stats().footprint_peak <= hakmem.limit())]]

for _, limit in ipairs { 2, 8, 64 } do
  TestPace[("test_after_a_refusal_in_%d_mib_the_state_goes_on"):format(limit)] = function()
    luaunit.assertEquals(support.run(EXHAUSTED:format(limit)), "true\n")
  end
end

-- So near to what lives that the sixteenth of it that 5.1 sets aside is more than the room.
function TestPace:test_a_limit_near_to_what_lives_is_kept_pace_with()
  if support.is_jit then return end -- its collector must not run at once
  luaunit.assertEquals(support.run [[
    local hakmem, support = require "hakmem", require "support"
    hakmem.install()
    if support.version >= 5.4 then collectgarbage("incremental") end
    support.tune("stepmul", 400)
    support.tune("pause", 1000) -- only the limit begins a cycle
    local live = {}
    for i = 1, 80000 do live[i] = { i, { i } } end
    collectgarbage()
    local stats = hakmem.stats()
    local used = stats.footprint - stats.retained
    hakmem.limit(used + math.floor(used / 20))
    for r = 1, 160000 do live[r % 80000 + 1] = { r, { r } } end
    live = nil
    collectgarbage()
    for r = 1, 2000 do local t = { r } end
    print(hakmem.stats().footprint_peak <= hakmem.limit(), support.tune("stepmul", 400))]],
    "true\t400\n")
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
