-- A long-lived Lua process that serves bursts: what stays resident after each.
--
--   lua5.4 [-l hakmem.auto] bench/lua/burst.lua BURSTS ROWS SESSION_EVERY
--
-- A burst builds ROWS rows of a report, about 1.3 KiB each, makes a session after
-- every SESSION_EVERY of them, and drops the rows; then the collector runs once, as
-- a host lets it after such work, and small requests come in for a second.
-- Sessions live on, over four bursts, so that each leaves objects scattered over
-- what it used. Nothing asks for memory to be given back. Prints
-- one line of JSON: the peak of the resident set, the one before the first burst,
-- and the one after each, in KiB; the bytes that the sessions have, as Lua counts;
-- and the CPU time in seconds. A wrong result ends with a message on stderr and
-- exit code 1.

local SESSIONS_OF = 4 -- bursts
local REQUESTS = 20000 -- to a second or less

local function fail(message)
  io.stderr:write("burst.lua: ", message, "\n")
  os.exit(1)
end

local function resident_kib(field)
  local file = io.open("/proc/self/status")
  local kib = file:read("*a"):match("\n" .. field .. ":%s*(%d+) kB")
  file:close()
  return tonumber(kib)
end

local words = { "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota" }

local function row(number)
  local values, tags = {}, {}
  for i = 1, 8 do values[i] = number * 0.5 + i end
  for i = 1, number % 5 + 3 do tags[words[i]] = number + i end
  return {
    number = number,
    name = ("row %d of the report"):format(number),
    values = values,
    tags = tags,
    body = ("%8d"):format(number):rep(number % 90 + 12),
  }
end

local function session(number)
  return {
    user = "user " .. number,
    seen = { number },
    settings = { theme = "theme " .. number % 7, zoom = number / 3 },
  }
end

local function build(first, rows, session_every, sessions)
  local report = {}
  for number = first, first + rows - 1 do
    report[#report + 1] = row(number)
    if number % session_every == 0 then
      sessions[#sessions + 1] = session(number)
      if #sessions > SESSIONS_OF * rows / session_every then table.remove(sessions, 1) end
    end
  end
  return report
end

local function serve(requests)
  for id = 1, requests do
    local order = { id = id, items = {}, text = {} }
    for i, word in ipairs(words) do
      order.items[i] = { name = word, price = id * 0.25 }
      order.text[i] = word .. "=" .. id
    end
    local text = table.concat(order.text, ";")
    if #order.items ~= #words or not text:find("iota=" .. id, 1, true) then
      fail("a request came out wrong")
    end
  end
end

local function live_bytes()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") * 1024
end

local bursts, rows, session_every = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
if not session_every then fail("usage: burst.lua BURSTS ROWS SESSION_EVERY") end

local sessions, after = {}, {}
serve(REQUESTS / 10)
local bare = live_bytes()
local before = resident_kib("VmRSS")
for burst = 0, bursts - 1 do
  local report, sum = build(burst * rows, rows, session_every, sessions), 0
  for _, each in ipairs(report) do sum = sum + each.number end
  if sum ~= rows * (2 * burst * rows + rows - 1) / 2 then fail("rows are missing") end
  report = nil
  collectgarbage()
  serve(REQUESTS)
  after[#after + 1] = resident_kib("VmRSS")
end
for _, each in ipairs(sessions) do
  if each.user ~= "user " .. each.seen[1] then fail("a session is not what it was") end
end
print(('{"peak_rss_kib": %d, "before_rss_kib": %d, "after_rss_kib": [%s], "session_bytes": %d, "cpu_s": %.3f}')
  :format(resident_kib("VmHWM"), before, table.concat(after, ", "), live_bytes() - bare, os.clock()))
