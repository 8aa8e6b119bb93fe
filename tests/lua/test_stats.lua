-- The statistics that scripts are given, as tables, as JSON and as OpenMetrics: all that is documented,
-- and the same in each.
local luaunit = require "luaunit"
local support = require "support"
local hakmem = require "hakmem"

local MIB = 1024 * 1024

hakmem.install { name = "stats" }

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

-- What an object has by name, and of which type, entries of lists by the first of them.
local function shape(object)
  if type(object) ~= "table" then return type(object) end
  if #object > 0 then return { shape(object[1]) } end
  local shapes = {}
  for key, value in pairs(object) do shapes[key] = shape(value) end
  return shapes
end

-- `object` has the counts `names` and, beside them, only `others`.
local function assert_counts(object, names, others)
  local left = {}
  for key in pairs(object) do left[key] = true end
  for _, name in ipairs(names) do
    support.assert_count(object[name], name)
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
  for i = 1, 10 do keep[i] = coroutine.create(support.fails_with) end
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
