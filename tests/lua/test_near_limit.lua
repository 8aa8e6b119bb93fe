-- A state whose collector ends a cycle close to the limit goes on to notice cycles: once there is room
-- again, the collector's pace follows the limit as before.
local luaunit = require "luaunit"
local support = require "support"

-- 40,000 live entries (6 MiB); then strings up to 200 KiB below the limit; a cycle there; the strings go,
-- and the entries are replaced 20 times, which is 10 times the limit.
local SCRIPT = [[
local hakmem = require "hakmem"
local LIMIT, NEAR, STRING = 10 * 1024 * 1024, 200 * 1024, 4096
local ENTRIES, ROUNDS = 40000, 20
hakmem.install { limit = LIMIT }
local entries = {}
local function replace(round)
  for i = 1, ENTRIES do entries[i] = { i, tostring(i + round) } end
end
local function room()
  local stats = hakmem.stats()
  return LIMIT - (stats.footprint - stats.retained)
end
replace(0)
local strings = {}
while room() > NEAR do strings[#strings + 1] = ("x"):rep(STRING) .. #strings end
collectgarbage()
collectgarbage()
strings = nil
collectgarbage()
collectgarbage()
for round = 1, ROUNDS do replace(round) end
print(entries[ENTRIES][2])
]]

TestNearLimit = {}

function TestNearLimit:test_cycles_are_noticed_afterwards()
  local status, output, errors = support.child(SCRIPT)
  luaunit.assertEquals(errors, "")
  luaunit.assertEquals(output, "40020\n")
  luaunit.assertEquals(status, 0)
end

support.finish(luaunit)
