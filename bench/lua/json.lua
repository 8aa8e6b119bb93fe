-- A JSON encoder and decoder in Lua: made-up user documents are encoded,
-- decoded, edited and encoded again, as a web service does. Churns nested
-- tables, key strings (mostly interned already), value strings, and the parts
-- that table.concat joins. A window of decoded documents stays alive.

local WINDOW = 20
local USERS_PER_DOCUMENT = 40

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("json: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

local null = setmetatable({}, { __tostring = function() return "null" end })

-- Encoder. A table with a first element, or an empty one, is an array. Keys are
-- sorted, so that equal documents have equal texts.

local ESCAPE = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape_control(c) return ESCAPE[c] or ("\\u%04x"):format(c:byte()) end

local function quote(text) return '"' .. text:gsub('[%c"\\]', escape_control) .. '"' end

local encode_value

local function encode_array(array, parts)
  parts[#parts + 1] = "["
  for i, value in ipairs(array) do
    if i > 1 then parts[#parts + 1] = "," end
    encode_value(value, parts)
  end
  parts[#parts + 1] = "]"
end

local function encode_object(object, parts)
  local keys = {}
  for key in pairs(object) do keys[#keys + 1] = key end
  table.sort(keys)
  parts[#parts + 1] = "{"
  for i, key in ipairs(keys) do
    if i > 1 then parts[#parts + 1] = "," end
    parts[#parts + 1] = quote(key) .. ":"
    encode_value(object[key], parts)
  end
  parts[#parts + 1] = "}"
end

function encode_value(value, parts)
  local kind = type(value)
  if kind == "string" then
    parts[#parts + 1] = quote(value)
  elseif kind == "number" then
    local whole = value == math.floor(value) and math.abs(value) < 1e15
    parts[#parts + 1] = (whole and "%.0f" or "%.17g"):format(value)
  elseif kind == "boolean" or value == null then
    parts[#parts + 1] = tostring(value)
  elseif kind == "table" then
    if value[1] ~= nil or next(value) == nil then
      encode_array(value, parts)
    else
      encode_object(value, parts)
    end
  else
    error("cannot encode a " .. kind)
  end
end

local function encode(value)
  local parts = {}
  encode_value(value, parts)
  return table.concat(parts)
end

-- Decoder: each function takes the text and a position, and returns the value
-- and the position behind it.

local UNESCAPE = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8_char(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then
    return string.char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40)
  end
  return string.char(0xE0 + math.floor(code / 0x1000),
    0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

local function fail(text, at, wanted)
  error(("json text at %d: expected %s, got '%s'"):format(at, wanted, text:sub(at, at + 9)))
end

local function skip_space(text, at) return (text:find("[^ \t\r\n]", at)) or #text + 1 end

local decode_value

local function decode_string(text, at)
  local from, parts = at + 1, nil
  while true do
    local stop = text:find('["\\]', from)
    if not stop then fail(text, at, "a string with its end") end
    if text:byte(stop) == 34 then
      local last = text:sub(from, stop - 1)
      if not parts then return last, stop + 1 end
      parts[#parts + 1] = last
      return table.concat(parts), stop + 1
    end
    parts = parts or {}
    parts[#parts + 1] = text:sub(from, stop - 1)
    local letter = text:sub(stop + 1, stop + 1)
    if letter == "u" then
      parts[#parts + 1] = utf8_char(tonumber(text:sub(stop + 2, stop + 5), 16))
      from = stop + 6
    else
      parts[#parts + 1] = UNESCAPE[letter] or fail(text, stop, "an escape")
      from = stop + 2
    end
  end
end

local function decode_number(text, at)
  local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  if not digits then fail(text, at, "a value") end
  return tonumber(digits), at + #digits
end

local function decode_array(text, at)
  local array = {}
  at = skip_space(text, at + 1)
  if text:sub(at, at) == "]" then return array, at + 1 end
  while true do
    array[#array + 1], at = decode_value(text, at)
    at = skip_space(text, at)
    local mark = text:sub(at, at)
    if mark == "]" then return array, at + 1 end
    if mark ~= "," then fail(text, at, "',' or ']'") end
    at = at + 1
  end
end

local function decode_object(text, at)
  local object = {}
  at = skip_space(text, at + 1)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    local key
    at = skip_space(text, at)
    if text:sub(at, at) ~= '"' then fail(text, at, "a key") end
    key, at = decode_string(text, at)
    at = skip_space(text, at)
    if text:sub(at, at) ~= ":" then fail(text, at, "':'") end
    object[key], at = decode_value(text, at + 1)
    at = skip_space(text, at)
    local mark = text:sub(at, at)
    if mark == "}" then return object, at + 1 end
    if mark ~= "," then fail(text, at, "',' or '}'") end
    at = at + 1
  end
end

local LITERALS = { t = { "true", true }, f = { "false", false }, n = { "null", null } }

function decode_value(text, at)
  at = skip_space(text, at)
  local first = text:sub(at, at)
  if first == "{" then return decode_object(text, at) end
  if first == "[" then return decode_array(text, at) end
  if first == '"' then return decode_string(text, at) end
  local literal = LITERALS[first]
  if literal and text:sub(at, at + #literal[1] - 1) == literal[1] then
    return literal[2], at + #literal[1]
  end
  return decode_number(text, at)
end

local function decode(text)
  local value, at = decode_value(text, 1)
  at = skip_space(text, at)
  if at <= #text then fail(text, at, "the end") end
  return value
end

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" or a == null or b == null then return a == b end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local NAMES = { "Ada", "Grace", "Edsger", "Barbara", "Søren \"the K\"", "Tab\tNewline\n", "C:\\temp" }

local function make_document(random, number)
  local users = {}
  for i = 1, USERS_PER_DOCUMENT do
    local tags, history = {}, {}
    for j = 1, random(5) do tags[j] = "tag" .. random(40) end
    for j = 1, random(6) do
      history[j] = { at = 1600000000 + random(9999999), action = "action" .. random(9), ok = random(3) > 1 }
    end
    users[i] = {
      id = number * 1000 + i, name = NAMES[random(#NAMES)] .. " " .. random(100000),
      score = random(1000000) / 8, ratio = 1 / random(1000), active = random(2) == 1,
      email = "user" .. random(100000) .. "@example.org",
      manager = random(4) == 1 and null or random(1000),
      address = { street = random(200) .. " Main St", city = "City" .. random(300),
        geo = { random(180) / 2, -random(90) / 4 } },
      tags = tags, history = history,
    }
  end
  return { version = number, users = users, next = null, empty = {} }
end

local function check_known_text()
  local text = ' { "b" : [1, -2.5, 3e2, "\\u00e9\\u20ac\\n\\/"] ,\n "a":{ }, "c" : [true,false,null] } '
  expect("known text", encode(decode(text)), '{"a":[],"b":[1,-2.5,300,"é€\\n/"],"c":[true,false,null]}')
  expect("objects with the same entries", equal({ a = { 1 } }, { a = { 1 } }), true)
  expect("an object with one entry more", equal({ a = 1 }, { a = 1, b = 2 }), false)
  expect("bad text is refused", pcall(decode, '{"a":[1,2}'), false)
end

return function(scale)
  local random = lcg(1234)
  local window = {}
  check_known_text()
  for number = 1, math.max(1, math.floor(80 * scale + 0.5)) do
    local document = make_document(random, number)
    local text = encode(document)
    local copy = decode(text)
    expect("decoded document equals its source", equal(copy, document), true)

    -- An edit of the copy shows in its text, and only there.
    local user = copy.users[random(USERS_PER_DOCUMENT)]
    user.name = user.name .. "!"
    local edited = encode(copy)
    expect("length of the edited text", #edited, #text + 1)
    expect("edited document differs", equal(decode(edited), document), false)
    window[number % WINDOW + 1] = { document = copy, text = edited }
  end
  for _, entry in pairs(window) do
    expect("text of a kept document", encode(entry.document), entry.text)
  end
end
