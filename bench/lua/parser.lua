-- A small programming language: a lexer, a recursive-descent parser that
-- builds a syntax tree, a constant folder that rebuilds it, a printer and an
-- evaluator. Modules of source text are generated, compiled and run; their
-- results are known from the generator. Churns tokens, tree nodes, scopes and
-- short strings; the trees of the last modules stay alive.

local WINDOW = 12
local FUNCTIONS_PER_MODULE = 25
local MODULUS = 1000003 -- all arithmetic of the language is modulo this prime

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("parser: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

-- Lexer: source text to an array of { kind, text, line }.

local KEYWORDS = {}
for keyword in ("let fn if else while return"):gmatch("%a+") do KEYWORDS[keyword] = true end

local function tokenize(source)
  local tokens, at, line = {}, 1, 1
  local function push(kind, text)
    tokens[#tokens + 1] = { kind = kind, text = text, line = line }
    at = at + #text
  end
  while true do
    local space = source:match("^%s*", at)
    line = line + select(2, space:gsub("\n", ""))
    at = at + #space
    if at > #source then break end
    local name, number = source:match("^[%a_][%w_]*", at), source:match("^%d+", at)
    if name then
      push(KEYWORDS[name] and name or "name", name)
    elseif number then
      push("number", number)
    else
      local operator = source:match("^[=!<>]=", at) or source:match("^[-+*%%<>=(){},;]", at)
      if not operator then error("line " .. line .. ": bad character '" .. source:sub(at, at) .. "'", 0) end
      push(operator, operator)
    end
  end
  tokens[#tokens + 1] = { kind = "end of file", text = "", line = line }
  return tokens
end

-- Parser: one method for each rule of the grammar.

local Parser = {}
Parser.__index = Parser

function Parser:peek() return self.tokens[self.at].kind end

function Parser:accept(kind)
  local token = self.tokens[self.at]
  if token.kind == kind then
    self.at = self.at + 1
    return token
  end
end

function Parser:need(kind)
  local token = self:accept(kind)
  if token then return token end
  token = self.tokens[self.at]
  error(("line %d: expected %s, got '%s'"):format(token.line, kind, token.text), 0)
end

function Parser:list(close, rule)
  local items = {}
  if self:accept(close) then return items end
  repeat items[#items + 1] = rule(self) until not self:accept(",")
  self:need(close)
  return items
end

function Parser:primary()
  if self:accept("(") then
    local inner = self:expression()
    self:need(")")
    return inner
  end
  local number = self:accept("number")
  if number then return { kind = "number", value = tonumber(number.text) } end
  if self:accept("-") then return { kind = "negate", operand = self:primary() } end
  local name = self:need("name").text
  if self:accept("(") then
    return { kind = "call", name = name, arguments = self:list(")", self.expression) }
  end
  return { kind = "name", name = name }
end

local LEVELS = {
  { ["=="] = true, ["!="] = true, ["<"] = true, [">"] = true, ["<="] = true, [">="] = true },
  { ["+"] = true, ["-"] = true },
  { ["*"] = true, ["%"] = true },
}

function Parser:binary(level)
  if level > #LEVELS then return self:primary() end
  local left = self:binary(level + 1)
  while LEVELS[level][self:peek()] do
    local operator = self:need(self:peek()).text
    left = { kind = "binary", operator = operator, left = left, right = self:binary(level + 1) }
  end
  return left
end

function Parser:expression() return self:binary(1) end

function Parser:block()
  local block = { kind = "block" }
  self:need("{")
  while not self:accept("}") do block[#block + 1] = self:statement() end
  return block
end

function Parser:statement()
  if self:accept("fn") then
    local name = self:need("name").text
    self:need("(")
    local parameters = self:list(")", function() return self:need("name").text end)
    return { kind = "fn", name = name, parameters = parameters, body = self:block() }
  elseif self:accept("if") then
    local node = { kind = "if", condition = self:expression(), yes = self:block() }
    if self:accept("else") then node.no = self:block() end
    return node
  elseif self:accept("while") then
    return { kind = "while", condition = self:expression(), body = self:block() }
  end
  local node
  if self:accept("return") then
    node = { kind = "return", value = self:expression() }
  else
    local kind = self:accept("let") and "let" or "assign"
    node = { kind = kind, name = self:need("name").text }
    self:need("=")
    node.value = self:expression()
  end
  self:need(";")
  return node
end

local function parse(source)
  local parser = setmetatable({ tokens = tokenize(source), at = 1 }, Parser)
  local program = { kind = "block" }
  while parser:peek() ~= "end of file" do program[#program + 1] = parser:statement() end
  return program
end

-- Printer: a tree back to text, fully parenthesized.

local show

local SHOW = {
  number = function(node) return ("%d"):format(node.value) end,
  name = function(node) return node.name end,
  negate = function(node) return "-" .. show(node.operand) end,
  binary = function(node)
    return "(" .. show(node.left) .. " " .. node.operator .. " " .. show(node.right) .. ")"
  end,
  call = function(node)
    local arguments = {}
    for i, argument in ipairs(node.arguments) do arguments[i] = show(argument) end
    return node.name .. "(" .. table.concat(arguments, ", ") .. ")"
  end,
  let = function(node) return "let " .. node.name .. " = " .. show(node.value) .. ";" end,
  assign = function(node) return node.name .. " = " .. show(node.value) .. ";" end,
  ["return"] = function(node) return "return " .. show(node.value) .. ";" end,
  ["while"] = function(node)
    return "while " .. show(node.condition) .. " {\n" .. show(node.body) .. "\n}"
  end,
  ["if"] = function(node)
    local text = "if " .. show(node.condition) .. " {\n" .. show(node.yes) .. "\n}"
    if node.no then text = text .. " else {\n" .. show(node.no) .. "\n}" end
    return text
  end,
  fn = function(node)
    local parameters = table.concat(node.parameters, ", ")
    return "fn " .. node.name .. "(" .. parameters .. ") {\n" .. show(node.body) .. "\n}"
  end,
  block = function(node)
    local lines = {}
    for i, statement in ipairs(node) do lines[i] = show(statement) end
    return table.concat(lines, "\n")
  end,
}

function show(node) return SHOW[node.kind](node) end

-- Arithmetic and constant folding.

local function truth(condition) return condition and 1 or 0 end

local OPERATORS = {
  ["+"] = function(a, b) return (a + b) % MODULUS end,
  ["-"] = function(a, b) return (a - b) % MODULUS end,
  ["*"] = function(a, b) return a * b % MODULUS end,
  ["%"] = function(a, b) return b == 0 and 0 or a % b end,
  ["=="] = function(a, b) return truth(a == b) end,
  ["!="] = function(a, b) return truth(a ~= b) end,
  ["<"] = function(a, b) return truth(a < b) end,
  [">"] = function(a, b) return truth(a > b) end,
  ["<="] = function(a, b) return truth(a <= b) end,
  [">="] = function(a, b) return truth(a >= b) end,
}

-- A copy of the tree in which operators on constants are replaced by the result.
local function fold(node)
  if type(node) ~= "table" then return node end
  local copy = {}
  for key, child in pairs(node) do copy[key] = fold(child) end
  if copy.kind == "binary" and copy.left.kind == "number" and copy.right.kind == "number" then
    return { kind = "number", value = OPERATORS[copy.operator](copy.left.value, copy.right.value) }
  elseif copy.kind == "negate" and copy.operand.kind == "number" then
    return { kind = "number", value = -copy.operand.value % MODULUS }
  end
  return copy
end

-- Evaluator: a scope is a table that inherits from the scope around it.

local evaluate

local function new_scope(parent) return setmetatable({}, { __index = parent, parent = parent }) end

local function assign(scope, name, value)
  while scope and rawget(scope, name) == nil do scope = getmetatable(scope).parent end
  if not scope then error("assignment to unknown name " .. name, 0) end
  scope[name] = value
end

-- Runs the statements of a block; returns the value of a `return`, else nil.
local function run_block(block, scope)
  for _, node in ipairs(block) do
    local kind, result = node.kind, nil
    if kind == "let" then
      scope[node.name] = evaluate(node.value, scope)
    elseif kind == "assign" then
      assign(scope, node.name, evaluate(node.value, scope))
    elseif kind == "fn" then
      scope[node.name] = { parameters = node.parameters, body = node.body, scope = scope }
    elseif kind == "return" then
      return evaluate(node.value, scope)
    elseif kind == "if" then
      local branch = evaluate(node.condition, scope) ~= 0 and node.yes or node.no
      if branch then result = run_block(branch, new_scope(scope)) end
    else
      while result == nil and evaluate(node.condition, scope) ~= 0 do
        result = run_block(node.body, new_scope(scope))
      end
    end
    if result ~= nil then return result end
  end
end

local function call(node, scope)
  local fn = scope[node.name]
  if not fn then error("call of unknown function " .. node.name, 0) end
  local inner = new_scope(fn.scope)
  for i, parameter in ipairs(fn.parameters) do
    inner[parameter] = evaluate(node.arguments[i], scope)
  end
  return run_block(fn.body, inner) or 0
end

function evaluate(node, scope)
  local kind = node.kind
  if kind == "number" then return node.value end
  if kind == "name" then return scope[node.name] or error("unknown name " .. node.name, 0) end
  if kind == "negate" then return -evaluate(node.operand, scope) % MODULUS end
  if kind == "call" then return call(node, scope) end
  return OPERATORS[node.operator](evaluate(node.left, scope), evaluate(node.right, scope))
end

local function run_program(program)
  -- The outermost scope has no parent.
  return run_block(program, setmetatable({}, {}))
end

-- Generator: source text together with the value it must have.

local function make_expression(random, depth, names, values)
  local choice = random(depth > 0 and 6 or 2)
  if choice == 1 then
    local value = random(MODULUS) - 1
    return ("%d"):format(value), value
  elseif choice == 2 then
    local i = random(#names)
    return names[i], values[i]
  end
  local a, value_a = make_expression(random, depth - 1, names, values)
  local b, value_b = make_expression(random, depth - 1, names, values)
  if choice <= 4 then return "(" .. a .. " + " .. b .. ")", (value_a + value_b) % MODULUS end
  if choice == 5 then return a .. " * " .. b, value_a * value_b % MODULUS end
  return "(" .. a .. "-" .. b .. ")", (value_a - value_b) % MODULUS
end

local function make_module(random)
  local lines, sum = { "let total = 0;" }, 0
  for i = 1, FUNCTIONS_PER_MODULE do
    local x, y = random(1000), random(1000)
    local body, value = make_expression(random, 5, { "x", "y" }, { x, y })
    lines[#lines + 1] = ("fn f%d(x, y) {\n  let result = %s;\n  return result;\n}"):format(i, body)
    local rounds = random(4)
    lines[#lines + 1] = ("let i%d = 0;"):format(i)
    lines[#lines + 1] = ("while i%d < %d {\n  total = total + f%d(%d, %d);\n  i%d = i%d + 1;\n}")
      :format(i, rounds, i, x, y, i, i)
    lines[#lines + 1] = ("if i%d != %d { total = 0; } else { total = total + 1; }"):format(i, rounds)
    sum = (sum + rounds * value + 1) % MODULUS
  end
  lines[#lines + 1] = "return total;"
  return table.concat(lines, "\n"), sum
end

local KNOWN = [[
fn fibonacci(n) { if n < 2 { return n; } return fibonacci(n - 1) + fibonacci(n - 2); }
fn gcd(a, b) { while b != 0 { let rest = a % b; a = b; b = rest; } return a; }
fn collatz(n) {
  let steps = 0;
  while n != 1 {
    if n % 2 == 0 { let half = 0; while half * 2 != n { half = half + 1; } n = half; }
    else { n = 3 * n + 1; }
    steps = steps + 1;
  }
  return steps;
}
return fibonacci(12) * 10000 + gcd(1071, 462) * 100 + collatz(7);
]]

return function(scale)
  local random = lcg(99)
  local window = {}
  expect("known program", run_program(parse(KNOWN)), (144 * 10000 + 21 * 100 + 16) % MODULUS)
  expect("bad program is refused", pcall(parse, "let x = (1 + ;"), false)
  for number = 1, math.max(1, math.floor(60 * scale + 0.5)) do
    local source, value = make_module(random)
    local tree = parse(source)
    expect("value of module " .. number, run_program(tree), value)
    local text = show(tree)
    local again = parse(text)
    expect("module " .. number .. " printed and parsed again", show(again), text)
    expect("value of printed module " .. number, run_program(again), value)
    local folded = fold(tree)
    expect("value of folded module " .. number, run_program(folded), value)
    window[number % WINDOW + 1] = { tree = tree, folded = folded, value = value }
  end
  for _, entry in pairs(window) do
    expect("value of a kept module", run_program(entry.folded), entry.value)
  end
end
