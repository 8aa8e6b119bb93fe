-- With the option `kinds`, the statistics tell what the state's blocks are for.
local luaunit = require "luaunit"
local support = require "support"

-- Lua 5.1 and LuaJIT do not tell the allocator.
local TELLS = support.version >= 5.2
local TABLE = support.version >= 5.5 and 48 or 56 -- bytes

-- count(kind) collects all garbage, checks that all kinds together are what is live, and returns the
-- blocks and bytes of one of them. keep has room for what is to live.
local COUNT = [[
  local hakmem = require "hakmem"
  local keep = {}
  for i = 1, 1000 do keep[i] = false end
  local function count(kind)
    collectgarbage()
    collectgarbage()
    local stats = hakmem.stats()
    local blocks, bytes = 0, 0
    for _, of in pairs(stats.kinds) do
      blocks = blocks + of.live_blocks
      bytes = bytes + of.live_bytes
    end
    assert(blocks == stats.live_blocks and bytes == stats.live_bytes)
    return stats.kinds[kind].live_blocks, stats.kinds[kind].live_bytes
  end
]]
local INSTALL = [[hakmem.install { settings = { kinds = true } }]]

-- What `make`, an expression, adds to the blocks and bytes of a kind if it is evaluated 1000 times and
-- the results are kept; and what is left of it afterwards.
local function added(kind, make)
  local output = support.run(COUNT .. INSTALL .. ([[
    local kind = "%s"
    local function make(i) return %s end
    local function fill(f) for i = 1, 1000 do keep[i] = f and f(i) end end
    fill(make) -- whatever is made once, such as the metatable of files
    fill(nil)
    count(kind)
    local blocks, bytes = count(kind)
    fill(make)
    local more_blocks, more_bytes = count(kind)
    fill(nil)
    local left_blocks, left_bytes = count(kind)
    print(("%%d %%d %%d %%d"):format(more_blocks - blocks, more_bytes - bytes, left_blocks - blocks,
      left_bytes - bytes))]]):format(kind, make))
  local numbers = {}
  for number in output:gmatch "%-?%d+" do numbers[#numbers + 1] = tonumber(number) end
  luaunit.assertEquals(#numbers, 4, output)
  if kind == "other" then -- the interpreter's own buffers and tables come and go
    luaunit.assertTrue(math.abs(numbers[3]) <= 3 and math.abs(numbers[4]) <= 4096, output)
  else
    luaunit.assertEquals({ numbers[3], numbers[4] }, { 0, 0 }, kind)
  end
  return numbers[1], numbers[2]
end

TestKinds = {}

function TestKinds:test_tables()
  local blocks, bytes = added("table", "{}")
  luaunit.assertEquals({ blocks, bytes }, TELLS and { 1000, 1000 * TABLE } or { 0, 0 })
  luaunit.assertEquals((added("table", "{ i, a = i }")), TELLS and 1000 or 0)
end

function TestKinds:test_arrays_and_hash_parts_are_other()
  local blocks, bytes = added("other", "{ i, a = i }")
  -- In 5.1 the table is another one, and in LuaJIT table and array are one block.
  local expected = (TELLS or support.is_jit) and 2000 or 3000
  luaunit.assertTrue(math.abs(blocks - expected) <= 3, blocks)
  luaunit.assertTrue(bytes >= 1000 * (16 + 24))
end

function TestKinds:test_strings()
  local blocks, bytes = added("string", "('%05d'):format(i)")
  luaunit.assertEquals({ blocks, bytes }, TELLS and { 1000, 32000 } or { 0, 0 })
  blocks, bytes = added("string", "('x'):rep(800) .. i")
  luaunit.assertEquals(blocks, TELLS and 1000 or 0)
  if TELLS then luaunit.assertTrue(bytes > 800000 and bytes < 1000000, bytes) end
end

function TestKinds:test_large_strings()
  for _, size in ipairs { 20000, 3000000 } do
    local blocks, bytes = added("string", ("i <= 3 and ('x'):rep(%d) .. i"):format(size))
    luaunit.assertEquals(blocks, TELLS and 3 or 0)
    if TELLS then luaunit.assertTrue(bytes > 3 * size and bytes < 3 * size + 100000, bytes) end
  end
end

-- In 5.5 the bytes of what the string library makes in a long buffer are the buffer's, thus "other".
function TestKinds:test_long_results()
  local blocks, bytes = added("string", "('x'):rep(2000 + i)")
  luaunit.assertEquals(blocks, TELLS and 1000 or 0)
  if TELLS then luaunit.assertEquals(bytes < 100000, support.version >= 5.5, bytes) end
end

function TestKinds:test_functions_with_their_upvalues()
  -- The upvalue comes without a kind in 5.3.
  local expected = ({ [5.2] = 2000, [5.3] = 1000, [5.4] = 2000, [5.5] = 2000 })[support.version] or 0
  luaunit.assertEquals((added("function", "function() return i end")), expected)
end

function TestKinds:test_prototypes_are_functions()
  local expected = ({ [5.2] = 3000, [5.3] = 2000, [5.4] = 3000, [5.5] = 3000 })[support.version] or 0
  luaunit.assertEquals((added("function", "(loadstring or load)('return 1')")), expected)
end

function TestKinds:test_threads()
  luaunit.assertEquals((added("thread", "coroutine.create(count)")), TELLS and 1000 or 0)
end

function TestKinds:test_userdata()
  luaunit.assertEquals((added("userdata", "i <= 50 and assert(io.open '/dev/null')")),
    TELLS and 50 or 0)
end

function TestKinds:test_what_does_not_tell_is_other()
  if TELLS then return end
  local output = support.run(COUNT .. INSTALL .. [[
    for i = 1, 1000 do keep[i] = { function() return i end, coroutine.create(function() end) } end
    local blocks = count "other"
    print(blocks >= 4000, count "string" + count "table" + count "function" + count "thread")]])
  luaunit.assertEquals(output, "true\t0\n")
end

function TestKinds:test_blocks_from_before_install_are_not_counted()
  local output = support.run(COUNT .. [[
    for i = 1, 1000 do keep[i] = {} end
    ]] .. INSTALL .. [[
    count "table"
    local before = count "table"
    for i = 1, 500 do keep[i] = false end
    local fewer = count "table"
    for i = 501, 1000 do keep[i].grown = i end
    print(before < 100, fewer == before, count "table" == before)]])
  luaunit.assertEquals(output, "true\ttrue\ttrue\n")
end

function TestKinds:test_a_block_that_is_resized_stays_what_it_is()
  if not TELLS then return end
  local output = support.run(COUNT .. INSTALL .. [[
    local grown = {}
    for i = 1, 200000 do grown[i] = i end
    local tables, others = count "table", count "other"
    for i = 200001, 400000 do grown[i] = i end
    print(count "table" == tables, count "other" == others)]])
  luaunit.assertEquals(output, "true\ttrue\n")
end

function TestKinds:test_counts_are_exact_under_a_limit()
  local output = support.run(COUNT .. [[
    hakmem.install { limit = 4 * 1024 * 1024, settings = "kinds=1" }
    for round = 1, 20 do
      local ok, message = pcall(function()
        local all = {}
        for i = 1, 1e7 do all[i] = { ("%d"):format(i), function() return i end } end
      end)
      assert(not ok and message == "not enough memory", message)
      count "string"
      hakmem.trim()
      count "table"
    end
    print(hakmem.stats().footprint_peak <= 4 * 1024 * 1024)]])
  luaunit.assertEquals(output, "true\n")
end

function TestKinds:test_they_are_nothing_without_the_option()
  local output = support.run [[
    local hakmem = require "hakmem"
    hakmem.install()
    print(next(hakmem.stats().kinds), hakmem.stats_json():match '"kinds": %[%]')]]
  luaunit.assertEquals(output, 'nil\t"kinds": []\n')
end

function TestKinds:test_the_environment_can_ask_for_them()
  local output = support.run([[
    local hakmem = require "hakmem"
    print(hakmem.stats_json():match '"name": "other"', hakmem.stats().kinds.other.live_blocks > 0)]],
    "-l hakmem.auto", "", "HAKMEM_KINDS=1")
  luaunit.assertEquals(output, '"name": "other"\ttrue\n')
end

function TestKinds:test_they_are_a_list_that_names_find_entries_of()
  local output = support.run(INSTALL:gsub("^", 'local hakmem = require "hakmem" ') .. [[
    local kinds = hakmem.stats().kinds
    local count = 0
    for i, kind in ipairs(kinds) do
      assert(kinds[kind.name] == kind and i == count + 1)
      count = count + 1
      for key in pairs(kind) do assert(key == "name" or key:match "^live_%l+$") end
      -- By their former names.
      assert(kind.bytes == kind.live_bytes and kind.blocks == kind.live_blocks and not kind.other)
    end
    for key in pairs(kinds) do assert(type(key) == "number") end
    print(count, kinds.nothing, kinds[count + 1])]])
  luaunit.assertEquals(output, "6\tnil\tnil\n")
end

function TestKinds:test_json_says_the_same()
  local output = support.run(COUNT .. INSTALL .. [[
    collectgarbage "stop"
    hakmem.stats_json()
    hakmem.stats()
    local json = hakmem.stats_json()
    local kinds = hakmem.stats().kinds
    local same = 0
    for name, bytes, blocks in
        json:gmatch '{"name": "(%a+)", "live_bytes": (%d+), "live_blocks": (%d+)}' do
      -- The text is a string and its copy.
      local near = name == "string" or name == "other"
      assert(near or kinds[name].live_bytes == tonumber(bytes), name)
      assert(near or kinds[name].live_blocks == tonumber(blocks), name)
      assert(math.abs(kinds[name].live_blocks - tonumber(blocks)) <= 2)
      same = same + 1
    end
    print(same)]])
  luaunit.assertEquals(output, "6\n")
end

function TestKinds:test_a_living_heap_keeps_its_choice()
  local output = support.run [[
    local hakmem = require "hakmem"
    hakmem.install { profile = "lean", settings = { kinds = true } }
    print(hakmem.profile())
    print(pcall(hakmem.configure, { kinds = false }))
    hakmem.configure { kinds = true, wake = 5 }
    hakmem.profile "balanced"
    for _, each in ipairs(hakmem.options()) do
      if each.name == "kinds" then print(each.value, each.origin, each.variable) end
    end]]
  luaunit.assertStrMatches(output, "lean\nfalse\t.*option 'kinds' is 1 in this heap: it can be " ..
    "set only when one is made\n1\theap\tHAKMEM_KINDS\n")
end

function TestKinds:test_the_heap_map_names_them()
  local name = support.tmpname()
  support.run(COUNT .. INSTALL .. ([[
    for i = 1, 1000 do keep[i] = {} end
    for i = 1, 40000 do keep[i] = { ("%%05d"):format(i) } end
    hakmem.heap_map(%q)]]):format(name))
  local file = assert(io.open(name))
  local page = file:read "*a"
  file:close()
  os.remove(name)
  luaunit.assertEquals(page:find(("blocks of %d bytes (table)"):format(TABLE), 1, true) ~= nil, TELLS)
  luaunit.assertEquals(page:find("blocks of 32 bytes (string)", 1, true) ~= nil, TELLS)
  luaunit.assertNotNil(page:find(" bytes (other)", 1, true))
end

support.finish(luaunit)
