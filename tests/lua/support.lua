-- What the Lua tests share: facts about the interpreter, and running it as a child.
local support = {}

support.is_jit = rawget(_G, "jit") ~= nil
support.version = tonumber(_VERSION:match("%d+%.%d+"))
support.has_integers = math.type ~= nil
support.has_table_finalizers = support.version >= 5.2
-- 5.1 and LuaJIT do not collect when memory runs out: they raise the error at once.
support.collects_when_full = support.version >= 5.2

-- Sets "pause" or "stepmul" of the collector, and returns what it was.
function support.tune(name, percent)
  if support.version >= 5.5 then return collectgarbage("param", name, percent) end
  return collectgarbage("set" .. name, percent)
end

-- The interpreter this script runs in.
local first = 0
while arg[first - 1] do first = first - 1 end
support.interpreter = arg[first]

-- An object with the finalizer `f`, in every version.
function support.on_gc(f)
  if support.has_table_finalizers then return setmetatable({}, { __gc = f }) end
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = f
  return proxy
end

-- Makes `count` tables, drops them, and collects; objects with finalizers go with the second collection.
function support.drop_tables(count)
  local keep = {}
  for i = 1, count do keep[i] = { i } end
  keep = nil -- luacheck: ignore
  collectgarbage()
  collectgarbage()
end

-- The process's resident memory in bytes.
function support.rss()
  local file = assert(io.open("/proc/self/statm"))
  local pages = tonumber(file:read("*a"):match("^%d+ (%d+)"))
  file:close()
  return pages * 4096
end

-- The name of a file for a while: in $TMPDIR, where os.tmpname does not look.
function support.tmpname()
  local name, folder = os.tmpname(), os.getenv("TMPDIR")
  if not folder then return name end
  os.remove(name)
  return folder .. "/" .. name:match("[^/]+$")
end

local function write_file(name, text)
  local file = assert(io.open(name, "w"))
  file:write(text)
  file:close()
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Runs `code` as a script of its own, with `flags` for the interpreter, `arguments` for the script, and
-- `environment` ("NAME=value ..."). Returns the exit status and what it wrote: to stdout, to stderr.
function support.child(code, flags, arguments, environment)
  local script, errors = support.tmpname(), support.tmpname()
  write_file(script, code)
  local pipe = assert(io.popen(("unset LUA_INIT; %s %s %s %s %s 2>%s; echo \"status $?\""):format(
    environment or "", support.interpreter, flags or "", script, arguments or "", errors)))
  local output = pipe:read("*a")
  pipe:close()
  local file = assert(io.open(errors))
  local said = file:read("*a")
  file:close()
  os.remove(script)
  os.remove(errors)
  local written, status = output:match("^(.*)status (%d+)\n$")
  assert(status, "the child's shell did not end: " .. output)
  -- The script's name is another one every time.
  local function anonymous(text) return (text:gsub(script:gsub("%p", "%%%0"), "SCRIPT")) end
  return tonumber(status), anonymous(written), anonymous(said)
end

-- As child(), for a script that is expected to end well; returns its output.
function support.run(code, flags, arguments, environment)
  local status, output, errors = support.child(code, flags, arguments, environment)
  if status ~= 0 or errors ~= "" then
    error(("status %d, stderr: %s\nof: %s"):format(status, errors, code), 2)
  end
  return output
end

support.quoted = quoted

-- Fails unless f(...) is an error that says so. (Children that do not need it do not load luaunit.)
function support.fails_with(pattern, f, ...)
  local luaunit = require "luaunit"
  local ok, message = pcall(f, ...)
  luaunit.assertFalse(ok)
  luaunit.assertStrMatches(message, ".*" .. pattern .. ".*")
end

-- Fails unless it is a whole number from 0 on, and an integer where there are any.
function support.assert_count(value, what)
  local luaunit = require "luaunit"
  luaunit.assertIsNumber(value, what)
  luaunit.assertTrue(value >= 0 and value == math.floor(value), what)
  if support.has_integers then luaunit.assertEquals(math.type(value), "integer", what) end
end

-- Decodes JSON. Numbers become what tonumber makes of them; null is not known here.
function support.decode_json(text)
  local at = 1
  local value

  local function fail(what)
    error(("JSON: %s expected at %d, not %q"):format(what, at, text:sub(at, at + 20)))
  end

  local function skip(pattern)
    local _, last = text:find("^%s*" .. pattern, at)
    if last then at = last + 1 end
    return last
  end

  local ESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n",
    r = "\r", t = "\t" }

  local function string_value()
    if not skip('"') then fail("a string") end
    local parts = {}
    while true do
      local plain, stop = text:match('^([^%c"\\]*)(["\\])', at)
      if not plain then fail("the end of a string") end
      parts[#parts + 1] = plain
      at = at + #plain + 1
      if stop == '"' then return table.concat(parts) end
      local code = text:match("^u00(%x%x)", at)
      local letter = text:sub(at, at)
      parts[#parts + 1] = code and string.char(tonumber(code, 16)) or ESCAPES[letter] or
        fail("an escape")
      at = at + (code and 5 or 1)
    end
  end

  local function list(close, item)
    local result = {}
    if skip(close) then return result end
    repeat item(result) until not skip(",")
    if not skip(close) then fail(close) end
    return result
  end

  function value()
    if skip("{") then
      return list("}", function(object)
        local key = string_value()
        if not skip(":") then fail("a colon") end
        if object[key] ~= nil then fail("a new key") end
        object[key] = value()
      end)
    elseif skip("%[") then
      return list("%]", function(array) array[#array + 1] = value() end)
    elseif text:find('^%s*"', at) then
      return string_value()
    elseif skip("true") then
      return true
    elseif skip("false") then
      return false
    end
    local number = text:match("^%s*(%-?%d+%.?%d*[eE]?[+-]?%d*)", at)
    if not number then fail("a value") end
    skip("%-?%d+%.?%d*[eE]?[+-]?%d*")
    return tonumber(number)
  end

  local result = value()
  if text:find("%S", at) then fail("the end") end
  return result
end

-- How test scripts end: run by luaunit, and the process's status says how it went.
function support.finish(luaunit) os.exit(luaunit.LuaUnit.run()) end

return support
