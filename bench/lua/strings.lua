-- Text processing: access-log lines are formatted, split, parsed, escaped,
-- unescaped, and joined into reports; a window of recent lines stays alive.
-- Churns short interned strings, mid-sized line strings, and the buffers of
-- table.concat, string.format and gsub.

local WINDOW = 10000
local LINES_PER_BLOCK = 400

local METHODS = { "GET", "POST", "PUT", "DELETE" }
local PAGES = { "index.html", "search?q=a&b=c d", "über/uns", "img/logo \"1\".png", "api/v1/items/" }

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("strings: %s: expected %s, got %s"):format(what, expected, got))
  end
end

local function split(text, separator)
  local parts, from = {}, 1
  while true do
    local first, last = text:find(separator, from, true)
    if not first then break end
    parts[#parts + 1] = text:sub(from, first - 1)
    from = last + 1
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

local function trim(text) return (text:gsub("^%s+", ""):gsub("%s+$", "")) end

local function url_encode(text)
  return (text:gsub("[^%w%-_%.~/]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function url_decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local ENTITY = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }
local function html_escape(text) return (text:gsub('[&<>"]', ENTITY)) end

local CHARACTER = { amp = "&", lt = "<", gt = ">", quot = '"' }
local function html_unescape(text) return (text:gsub("&(%a+);", CHARACTER)) end

-- Pads with repeated `..`, as scripts do before they learn of string.rep.
local function pad(text, width)
  while #text < width do text = " " .. text end
  return text
end

return function(scale)
  local random = lcg(77)
  local window, next_slot = {}, 1
  local hits = {} -- by host, from the parsed text
  local made, sent_bytes, parsed_bytes = 0, 0, 0

  for block = 1, math.max(1, math.floor(120 * scale + 0.5)) do
    local lines = {}
    for i = 1, LINES_PER_BLOCK do
      local bytes = random(50000)
      local page = PAGES[random(#PAGES)] .. random(3000)
      local line = ("10.%d.%d.%d|%s|%s|%d|%d"):format(random(4), random(16), random(250),
        METHODS[random(#METHODS)], url_encode(page), 200 + random(4) * 100, bytes)
      local fields = split(line, "|")
      if url_decode(fields[3]) ~= page then
        error("strings: url_decode: expected " .. page .. ", got " .. url_decode(fields[3]))
      end
      lines[i] = line
      made, sent_bytes = made + 1, sent_bytes + bytes
    end

    -- The block travels as one text and is taken apart again.
    local text = table.concat(lines, "\r\n  ")
    local report = {}
    for indented in (text .. "\n"):gmatch("(.-)\n") do
      local line = trim(indented)
      local host, method, path, status, bytes = line:match("^([%d%.]+)|(%u+)|(%S+)|(%d+)|(%d+)$")
      hits[host] = (hits[host] or 0) + 1
      parsed_bytes = parsed_bytes + tonumber(bytes)
      window[next_slot] = { host = host, text = line, path = path }
      next_slot = next_slot % WINDOW + 1
      if status == "500" then
        report[#report + 1] = pad(bytes, 8) .. " " .. method:lower()
          .. " <a href=\"" .. path .. "\">" .. url_decode(path) .. "</a>"
      end
    end

    local page = table.concat(report, "\n")
    local escaped = html_escape(page)
    expect("html_unescape of block " .. block, html_unescape(escaped), page)
    expect("lines in report " .. block, select(2, page:gsub("</a>", "")), #report)
    expect("double reverse of block " .. block, page:reverse():upper():reverse(), page:upper())
  end

  local counted = 0
  for _, count in pairs(hits) do counted = counted + count end
  expect("lines counted by host", counted, made)
  expect("bytes summed from the text", parsed_bytes, sent_bytes)
  for _, entry in ipairs(window) do
    if entry.text:sub(1, #entry.host + 1) ~= entry.host .. "|" then
      error("strings: expected a line of host " .. entry.host .. ", got " .. entry.text)
    end
  end
end
