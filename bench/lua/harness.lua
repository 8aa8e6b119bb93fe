-- Runs one program of the suite `lua` and reports what it cost.
--
--   lua5.4 [-l MODULE] bench/lua/harness.lua NAME [SCALE [SHIFT]]
--   lua5.4 bench/lua/harness.lua --list
--
-- Prints one line of JSON: the CPU time of run(scale) in seconds, and the peak
-- and final resident set of this process in KiB. If the module
-- `hakmem.auto` is loaded, the number of system calls its heap made is added as "os_calls".
-- SHIFT is the length of a string made before the program starts: it shifts the
-- phase of the garbage collector, on which a program's peak memory depends by
-- up to a quarter whatever the allocator. A series of runs should vary it.
-- A wrong result, an unknown program or a bad scale ends with a message on
-- stderr and exit code 1.

local folder = arg[0]:match("^(.*)/[^/]*$") or "."
local programs = dofile(folder .. "/programs.lua")

local function fail(message)
  io.stderr:write("harness.lua: ", message, "\n")
  os.exit(1)
end

-- The field `name` of /proc/self/status, in KiB. It is read here, and not by
-- the parent from rusage, because a process inherits its rusage peak over exec.
local function status_kib(status, name)
  local kib = status:match("\n" .. name .. ":%s*(%d+) kB")
  if not kib then fail("no field " .. name .. " in /proc/self/status") end
  return kib
end

local function read_status()
  local file, message = io.open("/proc/self/status", "r")
  if not file then fail("cannot read memory use: " .. message) end
  local text = file:read("*a")
  file:close()
  return text
end

-- System calls made by the hakmem heap, or nil if hakmem is not loaded.
local function os_calls()
  if not package.loaded["hakmem.auto"] then return nil end
  local ok, total = pcall(function() return require("hakmem").stats().os_calls.total end)
  if ok and type(total) == "number" then return total end
  return nil
end

local function load_program(name)
  for _, known in ipairs(programs) do
    if known == name then
      local chunk, message = loadfile(folder .. "/" .. name .. ".lua")
      if not chunk then fail("cannot load " .. name .. ": " .. message) end
      return chunk()
    end
  end
  fail("unknown program '" .. name .. "'; known are: "
    .. table.concat(programs, ", "))
end

local name, scale_text = arg[1], arg[2] or "1"
if name == "--list" then
  print(table.concat(programs, "\n"))
  os.exit(0)
end
if not name then
  fail("usage: harness.lua NAME [SCALE [SHIFT]] | --list; known programs are: "
    .. table.concat(programs, ", "))
end
local scale = tonumber(scale_text)
if not scale or not (scale > 0 and scale <= 1000) then
  fail("the scale must be a number above 0 and at most 1000, not '"
    .. scale_text .. "'")
end

local shift = tonumber(arg[3] or "0")
if not shift or shift < 0 or shift % 1 ~= 0 then
  fail("the shift must be a whole number of bytes, not '" .. arg[3] .. "'")
end
local shifting = ("x"):rep(shift)

local run = load_program(name)
local start = os.clock()
local ok, message = pcall(run, scale)
local time = os.clock() - start
local status = read_status()
if not ok then fail("program '" .. name .. "' failed: " .. tostring(message)) end

local fields = {
  ('"case":"%s"'):format(name),
  ('"time_s":%.3f'):format(time),
  ('"peak_rss_kib":%s'):format(status_kib(status, "VmHWM")),
  ('"end_rss_kib":%s'):format(status_kib(status, "VmRSS")),
}
local calls = os_calls()
if calls then fields[#fields + 1] = ('"os_calls":%d'):format(calls) end
assert(#shifting == shift)
print("{" .. table.concat(fields, ",") .. "}")
