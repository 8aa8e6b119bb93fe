-- A text-template engine: templates with variables, filters, conditions and
-- loops are compiled to closures and rendered with view data, as for web pages.
-- Churns closures (compiling), scopes and view tables, parts and pages of text;
-- recent pages and the compiled templates stay alive.

local KEPT_PAGES = 300

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("template: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

local ENTITY = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

local FILTERS = {
  upper = string.upper,
  escape = function(text) return (text:gsub("[&<>]", ENTITY)) end,
  money = function(cents) return ("%d.%02d"):format(math.floor(cents / 100), cents % 100) end,
  count = function(list) return #list end,
}

-- A path such as `item.owner.name` as a function of the scope.
local function compile_path(path)
  local get
  for name in path:gmatch("[^.]+") do
    local outer = get
    if not outer then
      get = function(scope) return scope[name] end
    else
      get = function(scope) return outer(scope)[name] end
    end
  end
  return get
end

-- `path | filter | filter` as a function of the scope.
local function compile_value(text)
  local path, rest = text:match("^%s*([%w_.]+)%s*(.*)$")
  local get = compile_path(path)
  for name in rest:gmatch("|%s*(%w+)") do
    local inner, filter = get, FILTERS[name]
    if not filter then error("unknown filter " .. name, 0) end
    get = function(scope) return filter(inner(scope)) end
  end
  return get
end

local compile_sequence

local function compile_for(tag, scanner)
  local variable, list_text = tag:match("^for%s+(%w+)%s+in%s+(.+)$")
  if not variable then error("malformed tag {% " .. tag .. " %}", 0) end
  local list, body = compile_value(list_text), compile_sequence(scanner, "end")
  return function(scope, out)
    for i, item in ipairs(list(scope)) do
      local inner = setmetatable({ [variable] = item, index = i }, { __index = scope })
      body(inner, out)
    end
  end
end

local function compile_if(tag, scanner)
  local condition = compile_value(tag:match("^if%s+(.+)$"))
  local yes, stop = compile_sequence(scanner, "end", "else")
  local no = stop == "else" and compile_sequence(scanner, "end")
  return function(scope, out)
    if condition(scope) then
      yes(scope, out)
    elseif no then
      no(scope, out)
    end
  end
end

-- Compiles up to one of the closing tags; returns a function that appends the
-- rendered parts to `out`, and the tag that closed it.
function compile_sequence(scanner, ...)
  local stops, steps = {}, {}
  for _, stop in ipairs({ ... }) do stops[stop] = true end
  local closed_by
  while true do
    local text, mark, from = scanner.source:match("^(.-){([{%%])()", scanner.at)
    if not text then
      if next(stops) then error("a block is not closed", 0) end
      text = scanner.source:sub(scanner.at)
      scanner.at = #scanner.source + 1
      if text ~= "" then steps[#steps + 1] = function(_, out) out[#out + 1] = text end end
      break
    end
    if text ~= "" then steps[#steps + 1] = function(_, out) out[#out + 1] = text end end
    local inside, after = scanner.source:match(mark == "{" and "^%s*(.-)%s*}}()" or "^%s*(.-)%s*%%}()", from)
    if not inside then error("a tag is not closed", 0) end
    scanner.at = after
    if mark == "{" then
      local get = compile_value(inside)
      steps[#steps + 1] = function(scope, out) out[#out + 1] = tostring(get(scope)) end
    elseif stops[inside] then
      closed_by = inside
      break
    elseif inside:match("^for%s") then
      steps[#steps + 1] = compile_for(inside, scanner)
    elseif inside:match("^if%s") then
      steps[#steps + 1] = compile_if(inside, scanner)
    else
      error("unknown tag {% " .. inside .. " %}", 0)
    end
  end
  return function(scope, out)
    for _, step in ipairs(steps) do step(scope, out) end
  end, closed_by
end

local function compile(source)
  local render = compile_sequence({ source = source, at = 1 })
  return function(view)
    local out = {}
    render(view, out)
    return table.concat(out)
  end
end

-- The page of an invoice in some layout; the layouts differ in a title.
local function make_source(layout)
  return "<h1>" .. layout .. ": {{ customer.name | escape }}</h1>\n"
    .. "{% if customer.vip %}<b>{{ customer.level | upper }}</b>{% else %}<i>guest</i>{% end %}\n"
    .. "<table>{% for item in items %}\n"
    .. "<tr><td>{{ index }}</td><td>{{ item.title | escape | upper }}</td><td>{{ item.price | money }}</td>"
    .. "<td>{% for tag in item.tags %}#{{ tag }}{% if item.rare %}!{% end %} {% end %}</td></tr>"
    .. "{% end %}\n</table>\n<p>{{ items | count }} items, {{ total | money }}</p>\n"
end

-- The same page, written out by hand.
local function expected_page(layout, view)
  local page = "<h1>" .. layout .. ": " .. FILTERS.escape(view.customer.name) .. "</h1>\n"
  page = page .. (view.customer.vip and "<b>" .. view.customer.level:upper() .. "</b>" or "<i>guest</i>")
  page = page .. "\n<table>"
  for i, item in ipairs(view.items) do
    page = page .. "\n<tr><td>" .. i .. "</td><td>" .. FILTERS.escape(item.title):upper() .. "</td><td>"
      .. FILTERS.money(item.price) .. "</td><td>"
    for _, tag in ipairs(item.tags) do
      page = page .. "#" .. tag .. (item.rare and "!" or "") .. " "
    end
    page = page .. "</td></tr>"
  end
  page = page .. "\n</table>\n<p>" .. #view.items .. " items, "
  return page .. FILTERS.money(view.total) .. "</p>\n"
end

local function make_view(random)
  local customer = { name = "Smith & <Sons> " .. random(5000), vip = random(3) == 1, level = "gold" }
  local view = { customer = customer, items = {}, total = 0 }
  for i = 1, 5 + random(40) do
    local price, tags = random(100000), {}
    for j = 1, random(5) - 1 do tags[j] = "tag" .. random(60) end
    view.items[i] = { title = "Item <" .. random(9000) .. "> & more", price = price,
      rare = random(4) == 1, tags = tags }
    view.total = view.total + price
  end
  return view
end

return function(scale)
  local random = lcg(1999)
  local cache, pages = {}, {}
  local known = compile("{% for x in l %}{{ index }}={{x.a|upper}};{% end %}{{ n | money }} {{ t|escape }}")
  local view_of_known = { l = { { a = "p" }, { a = "q" } }, n = 1234, t = "<a&b>" }
  expect("known page", known(view_of_known), "1=P;2=Q;12.34 &lt;a&amp;b&gt;")
  expect("open block is refused", pcall(compile, "{% if x %} yes"), false)
  for number = 1, math.max(1, math.floor(1800 * scale + 0.5)) do
    -- Every tenth layout is new, the others come from the cache.
    local layout = "Layout " .. (number % 10 == 0 and 50 + number or random(50))
    local render = cache[layout]
    if not render then
      render = compile(make_source(layout))
      if number % 10 ~= 0 then cache[layout] = render end
    end
    local view = make_view(random)
    local page = render(view)
    if number % 4 == 0 then expect("page " .. number, page, expected_page(layout, view)) end
    expect("rows of page " .. number, select(2, page:gsub("<tr>", "")), #view.items)
    pages[number % KEPT_PAGES + 1] = { view = view, page = page, layout = layout }
  end
  for _, kept in pairs(pages) do
    expect("a kept page", expected_page(kept.layout, kept.view), kept.page)
  end
end
