-- Functional Lua: lazy sequences piped through map, filter and take, curried
-- and composed functions, memoized and continuation-passing functions, and a
-- registry of listeners that come and go. Churns closures and their upvalues,
-- with few tables.

local LISTENERS = 20000

local function expect(what, got, expected)
  if got ~= expected then
    error(("closures: %s: expected %s, got %s"):format(what, expected, got))
  end
end

-- Lazy sequences: a sequence is a function that returns the next item or nil.

local function range(first, last)
  local i = first - 1
  return function()
    if i < last then
      i = i + 1
      return i
    end
  end
end

local function map(f, seq)
  return function()
    local item = seq()
    if item ~= nil then return f(item) end
  end
end

local function filter(keep, seq)
  return function()
    local item = seq()
    while item ~= nil and not keep(item) do item = seq() end
    return item
  end
end

local function take(n, seq)
  return function()
    if n > 0 then
      n = n - 1
      return seq()
    end
  end
end

local function flat_map(f, seq)
  local inner
  return function()
    while true do
      if inner then
        local item = inner()
        if item ~= nil then return item end
      end
      local outer = seq()
      if outer == nil then return nil end
      inner = f(outer)
    end
  end
end

local function fold(f, accumulator, seq)
  for item in seq do accumulator = f(accumulator, item) end
  return accumulator
end

-- Combinators.

local function compose(f, g) return function(x) return f(g(x)) end end

local function add(a) return function(b) return a + b end end

local function multiply(a) return function(b) return a * b end end

local function plus(a, b) return a + b end

local function multiple_of(n) return function(x) return x % n == 0 end end

local function memoize(f)
  local known = {}
  return function(x)
    local value = known[x]
    if value == nil then
      value = f(x)
      known[x] = value
    end
    return value
  end
end

-- The sum of 1..n: every step leaves a continuation behind.
local function sum_cps(n, continue)
  if n == 0 then return continue(0) end
  return sum_cps(n - 1, function(sum) return continue(sum + n) end)
end

-- A Church numeral applies a function n times.
local function church(n)
  if n == 0 then return function() return function(x) return x end end end
  local smaller = church(n - 1)
  return function(f) return function(x) return f(smaller(f)(x)) end end
end

local function account(balance)
  local function deposit(amount) balance = balance + amount end
  local function current() return balance end
  return deposit, current
end

local function pipelines(k)
  -- Multiples of 3 in 1..600, times k, plus 1.
  local seq = map(compose(add(1), multiply(k)), filter(multiple_of(3), range(1, 600)))
  expect("filtered sum", fold(plus, 0, seq), k * 3 * (200 * 201 / 2) + 200)

  -- 1 + (1+2) + ... + (1+...+40): the tetrahedral number of 40.
  local triangles = flat_map(function(n) return range(1, n) end, range(1, 40))
  expect("tetrahedral number", fold(plus, 0, triangles), 40 * 41 * 42 / 6)

  -- The first 30 odd numbers add up to 30 squared.
  local odd = filter(function(n) return n % 2 == 1 end, range(1, 1000))
  expect("sum of odd numbers", fold(plus, 0, take(30, odd)), 900)
end

local function continuations(k)
  expect("sum in continuations", sum_cps(150, function(sum) return sum + k end), 150 * 151 / 2 + k)
  expect("church product", church(12)(church(5)(add(1)))(k), 60 + k)

  local fibonacci
  fibonacci = memoize(function(n)
    if n < 2 then return n end
    return fibonacci(n - 1) + fibonacci(n - 2)
  end)
  expect("memoized fibonacci", fibonacci(50), 12586269025)

  -- A chain of 100 composed additions.
  local chain = add(0)
  for i = 1, 100 do chain = compose(add(i), chain) end
  expect("composed chain", chain(k), 5050 + k)
end

return function(scale)
  -- A listener pays its slot number into an account of its own when it fires.
  local listeners = {}
  local function listen(slot)
    local deposit, current = account(0)
    listeners[slot] = function()
      deposit(slot)
      return current
    end
  end
  for slot = 1, LISTENERS do listen(slot) end

  local oldest = 1
  local recent = {} -- accounts of the listeners that fired last
  for round = 1, math.max(1, math.floor(1300 * scale + 0.5)) do
    pipelines(round)
    continuations(round)
    -- Some listeners fire and are replaced by new ones, oldest first.
    for i = 1, 100 do
      local current = listeners[oldest]()
      expect("balance of a listener", current(), oldest)
      recent[round % 10 * 100 + i] = current
      listen(oldest)
      oldest = oldest % LISTENERS + 1
    end
  end

  local sum = 0
  for _, listener in ipairs(listeners) do sum = sum + listener()() end
  expect("sum of all balances", sum, LISTENERS * (LISTENERS + 1) / 2)
end
