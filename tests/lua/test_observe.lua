-- Observing from a script: observe, observing, observations, observations_json, trace.
local luaunit = require "luaunit"
local support = require "support"
local hakmem = require "hakmem"

if support.is_jit then jit.off() end -- compiled code leaves allocations out

-- How the functions end that tell something.
local function try_all()
  return {
    observations = { pcall(hakmem.observations) },
    observations_json = { pcall(hakmem.observations_json) },
    trace = { pcall(hakmem.trace, "/dev/null") },
  }
end

local before_install = try_all()
before_install.observe = { pcall(hakmem.observe, true) }
before_install.observing = { pcall(hakmem.observing) }
hakmem.install()
local never_observed = try_all()

-- What `f` does, observed, with the collector at rest.
local function observed(f)
  collectgarbage()
  collectgarbage "stop"
  hakmem.observe(true)
  f()
  hakmem.observe(false)
  collectgarbage "restart"
  return hakmem.observations()
end

local function sum(ranges)
  local total = 0
  for _, range in ipairs(ranges) do total = total + range.count end
  return total
end

-- The class that most blocks were handed out of.
local function busiest(o)
  local best = o.classes[1]
  for _, class in ipairs(o.classes) do
    if class.requests > best.requests then best = class end
  end
  return best
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

TestObserve = {}

function TestObserve:test_it_says_whether_it_was_on()
  luaunit.assertIs(hakmem.observing(), false)
  luaunit.assertIs(hakmem.observe(false), false)
  luaunit.assertIs(hakmem.observe(true), false)
  luaunit.assertIs(hakmem.observing(), true)
  luaunit.assertIs(hakmem.observe(true), true)
  luaunit.assertIs(hakmem.observe(false), true)
  luaunit.assertIs(hakmem.observing(), false)
end

function TestObserve:test_what_is_missing_is_said()
  for name, result in pairs(before_install) do
    luaunit.assertFalse(result[1], name)
    luaunit.assertStrContains(result[2], "hakmem is not installed in this state, call hakmem.install() first")
  end
  for name, result in pairs(never_observed) do
    luaunit.assertFalse(result[1], name)
    luaunit.assertStrContains(result[2], "nothing has been observed, call hakmem.observe first")
  end
end

function TestObserve:test_wrong_arguments_are_errors_and_change_nothing()
  for _, arguments in ipairs { {}, { 1 }, { "on" }, { n = 1 }, { true, true } } do
    local ok, message = pcall(hakmem.observe, (table.unpack or unpack)(arguments))
    luaunit.assertFalse(ok)
    luaunit.assertStrMatches(message, ".*[bn]o[ %a]+ expected.*")
    luaunit.assertIs(hakmem.observing(), false)
  end
  observed(function() end)
  local ok, message = pcall(hakmem.trace, "/nowhere/trace.csv")
  luaunit.assertFalse(ok)
  luaunit.assertStrContains(message, "trace cannot write '/nowhere/trace.csv'")
end

-- The OS gives no address space any more.
function TestObserve:test_without_memory_a_state_goes_on_unobserved()
  luaunit.assertEquals(support.run [[
    local hakmem = require "hakmem"
    hakmem.install()
    local function read(path, format)
      local file = assert(io.open(path))
      local value = file:read(format)
      file:close()
      return value
    end
    local pid = read("/proc/self/stat", "*n")
    os.execute(("prlimit --pid %d --as=%d"):format(pid, read("/proc/self/statm", "*n") * 4096))
    print(pcall(hakmem.observe, true))
    print(hakmem.observing(), hakmem.observe(false))
    print(#("x"):rep(100))]],
    "false\tnot enough memory to observe\nfalse\tfalse\n100\n")
end

function TestObserve:test_a_thousand_tables_are_a_thousand_allocations()
  local kept = {}
  for i = 1, 1000 do kept[i] = false end
  local o = observed(function()
    for i = 1, 1000 do kept[i] = {} end
  end)
  luaunit.assertEquals(o.allocations, 1000)
  luaunit.assertEquals(o.operations, 1000)
  luaunit.assertEquals(o.live_blocks, 1000)
  luaunit.assertEquals(#o.sizes, 1)
  luaunit.assertEquals(o.sizes[1].count, 1000)
  luaunit.assertEquals(#o.classes, 1)
  local class = o.classes[1]
  luaunit.assertEquals(class.requests, 1000)
  luaunit.assertEquals(class.hits + class.misses, 1000)
  luaunit.assertTrue(o.sizes[1].from <= class.size and class.size <= o.sizes[1].to)
  luaunit.assertEquals(o.bytes_requested, 1000 * class.size)
  -- The youngest is 0 operations old, then 1, 2 to 3, …
  luaunit.assertEquals(o.ages[1], { from = 0, to = 0, count = 1 })
  luaunit.assertEquals(o.ages[4], { from = 4, to = 7, count = 4 })
  luaunit.assertEquals(sum(o.ages), 1000)
  luaunit.assertEquals(o.lifetimes, {})
  luaunit.assertEquals(#kept, 1000)
end

function TestObserve:test_lifetimes_of_garbage_are_known()
  local kept = {}
  for i = 1, 1000 do kept[i] = false end
  local o = observed(function()
    for i = 1, 1000 do kept[i] = {} end
    for i = 1, 1000 do kept[i] = false end
    collectgarbage()
  end)
  local class = busiest(o)
  luaunit.assertTrue(class.requests >= 1000)
  luaunit.assertTrue(sum(class.lifetimes) >= 1000)
  luaunit.assertEquals(o.frees, sum(o.lifetimes) + o.freed_unknown)
  luaunit.assertEquals(o.live_blocks, o.allocations - sum(o.lifetimes))
end

-- An array doubles as it grows; in 5.5 it is made anew, but a buffer of the string library doubles.
function TestObserve:test_growth_is_resizes()
  local o = observed(function()
    local t = {}
    for i = 1, 1024 do t[i] = true end
    if support.version >= 5.5 then t = ("x"):rep(200000):gsub("x", "yy") end
  end)
  luaunit.assertTrue(o.resizes_moved + o.resizes_in_place >= 7)
  luaunit.assertEquals(o.operations,
    o.allocations + o.frees + o.resizes_moved + o.resizes_in_place + o.refusals)
end

function TestObserve:test_a_refused_request_is_counted()
  hakmem.limit(hakmem.stats().footprint + 1024 * 1024)
  local o = observed(function()
    luaunit.assertFalse(pcall(string.rep, "x", 50 * 1024 * 1024))
  end)
  hakmem.limit(0)
  luaunit.assertTrue(o.refusals >= 1)
  local of_classes = 0
  for _, class in ipairs(o.classes) do of_classes = of_classes + class.refusals end
  luaunit.assertEquals(of_classes, o.refusals)
  luaunit.assertEquals(sum(o.sizes), o.allocations + o.resizes_moved + o.resizes_in_place + o.refusals)
end

function TestObserve:test_it_begins_anew()
  observed(function()
    for i = 1, 100 do local t = { i } end
  end)
  local o = observed(function() end)
  luaunit.assertEquals(o.operations, 0)
  luaunit.assertEquals(o.classes, {})
  luaunit.assertTrue(o.born_before > 100)
end

function TestObserve:test_json_is_the_same_as_the_table()
  observed(function()
    local kept = {}
    for i = 1, 500 do kept[i] = ("x"):rep(i * 7) end
    kept = nil
    collectgarbage()
  end)
  local decoded = support.decode_json(hakmem.observations_json())
  luaunit.assertEquals(decoded.version, hakmem.version)
  luaunit.assertEquals(decoded.name, hakmem.heap_name())
  luaunit.assertEquals(hakmem.observations(), decoded)
end

function TestObserve:test_the_trace_is_every_operation()
  local kept = {}
  for i = 1, 10 do kept[i] = false end
  local path = support.tmpname()
  observed(function()
    for i = 1, 10 do kept[i] = {} end
    for i = 1, 10 do kept[i] = false end
    collectgarbage()
  end)
  hakmem.trace(path)
  local o = hakmem.observations()
  local lines, counts = {}, { alloc = 0, free = 0, resize = 0 }
  for line in read(path):gmatch "[^\n]+" do lines[#lines + 1] = line end
  luaunit.assertEquals(lines[1], "operation,event,block,size,old_size,how,lifetime")
  luaunit.assertEquals(#lines - 1, o.operations)
  luaunit.assertEquals(o.traced, o.operations)
  for i = 2, #lines do
    local number, event, block, _, _, _, lifetime =
      lines[i]:match "^(%d+),(%l+),(%d*),(%d+),(%d+),([%l_]*),(%d*)$"
    luaunit.assertEquals(tonumber(number), i - 1)
    counts[event] = counts[event] + 1
    if lifetime ~= "" then
      luaunit.assertEquals(tonumber(number) - tonumber(block), tonumber(lifetime))
      luaunit.assertStrMatches(lines[1 + tonumber(block)], "%d+,alloc,.*")
    end
  end
  luaunit.assertEquals(counts.alloc, o.allocations)
  luaunit.assertEquals(counts.free, o.frees)
  luaunit.assertEquals(counts.resize, o.resizes_moved + o.resizes_in_place)
  os.remove(path)
end

function TestObserve:test_the_trace_is_as_long_as_the_option_says()
  for _, length in ipairs { 0, 5, 100 } do
    local output = support.run([[
      local hakmem = require "hakmem"
      hakmem.install()
      hakmem.observe(true)
      local t = {}
      for i = 1, 1000 do t[i] = { i } end
      hakmem.observe(false)
      print(hakmem.observations().traced)
      io.stdout:flush()
      hakmem.trace "/dev/stdout"]], "", "", "HAKMEM_TRACE=" .. length)
    local _, lines = output:gsub("\n", "")
    luaunit.assertEquals(tonumber(output:match "^%d+"), length)
    luaunit.assertEquals(lines, length + 2)
  end
end

function TestObserve:test_on_and_off_a_thousand_times_under_load()
  local output = support.run [[
    local hakmem = require "hakmem"
    hakmem.install()
    local kept = {}
    for i = 1, 1000 do
      assert(hakmem.observe(i % 2 == 1) == (i % 2 == 0))
      for k = 1, 50 do kept[math.random(300)] = { k, tostring(k * i), { k } } end
      if i % 100 == 0 then collectgarbage() end
      if i % 7 == 0 then hakmem.observations() end
    end
    for _, t in pairs(kept) do assert(t[1] == t[3][1]) end
    print(hakmem.observing(), hakmem.observations().allocations > 50)]]
  luaunit.assertEquals(output, "false\ttrue\n")
end

function TestObserve:test_a_script_may_end_while_it_is_observed()
  luaunit.assertEquals(support.run [[
    local hakmem = require "hakmem"
    hakmem.install()
    hakmem.observe(true)
    kept = {}
    for i = 1, 10000 do kept[i] = { i } end
    local support = require "support"
    last = support.on_gc(function() print(pcall(hakmem.observe, false)) end)]], "true\ttrue\n")
end

-- An object from before the installation is finalized last, when the end has begun.
function TestObserve:test_a_state_that_is_being_closed_cannot_be_observed()
  luaunit.assertEquals(support.run [[
    local hakmem = require "hakmem"
    local support = require "support"
    last = support.on_gc(function()
      local ok, message = pcall(hakmem.observe, true)
      print(ok, message, hakmem.observing())
    end)
    hakmem.install()]], "false\tthis state is being closed\tfalse\n")
end

support.finish(luaunit)
