-- Arbitrary-precision integers as arrays of limbs: digits of pi, factorials,
-- Fibonacci numbers, squares and division. Churns arrays of numbers from a few
-- to some hundreds of slots, made by appending, and the digit strings of
-- conversions.

local BASE, BASE_DIGITS = 10000000, 7 -- a product of limbs stays below 2^53

local function expect(what, got, expected)
  if got ~= expected then
    error(("bignum: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

local floor = math.floor

-- A natural number is an array of limbs, the least first, without leading zero
-- limbs; zero is the empty array.

local Big = {}
Big.__index = Big

local function new() return setmetatable({}, Big) end

local function big(n)
  local result = new()
  while n > 0 do
    result[#result + 1] = n % BASE
    n = floor(n / BASE)
  end
  return result
end

local function trim(a)
  while a[#a] == 0 do a[#a] = nil end
  return a
end

function Big.__add(a, b)
  local sum, carry = new(), 0
  for i = 1, math.max(#a, #b) do
    local limb = (a[i] or 0) + (b[i] or 0) + carry
    carry = limb >= BASE and 1 or 0
    sum[i] = limb - carry * BASE
  end
  if carry > 0 then sum[#sum + 1] = carry end
  return sum
end

-- a - b, where a >= b
function Big.__sub(a, b)
  local difference, borrow = new(), 0
  for i = 1, #a do
    local limb = a[i] - (b[i] or 0) - borrow
    borrow = limb < 0 and 1 or 0
    difference[i] = limb + borrow * BASE
  end
  if borrow > 0 then error("bignum: the difference is negative") end
  return trim(difference)
end

function Big.__mul(a, b)
  if type(b) == "number" then b = big(b) end
  local product = new()
  for i = 1, #a + #b do product[i] = 0 end
  for i = 1, #a do
    local carry, factor = 0, a[i]
    for j = 1, #b do
      local limb = product[i + j - 1] + factor * b[j] + carry
      carry = floor(limb / BASE)
      product[i + j - 1] = limb - carry * BASE
    end
    product[i + #b] = carry
  end
  return trim(product)
end

function Big.__eq(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- The quotient and remainder by a small number.
local function divide(a, divisor)
  local quotient, rest = new(), 0
  for i = #a, 1, -1 do
    local limb = rest * BASE + a[i]
    quotient[i] = floor(limb / divisor)
    rest = limb - quotient[i] * divisor
  end
  return trim(quotient), rest
end

function Big.__tostring(a)
  if #a == 0 then return "0" end
  local parts = { ("%d"):format(a[#a]) }
  for i = #a - 1, 1, -1 do parts[#parts + 1] = ("%07d"):format(a[i]) end
  return table.concat(parts)
end

local function parse(text)
  local result = new()
  for last = #text, 1, -BASE_DIGITS do
    result[#result + 1] = tonumber(text:sub(math.max(1, last - BASE_DIGITS + 1), last))
  end
  return trim(result)
end

-- Digits of pi by Machin's formula, 16 atan(1/5) - 4 atan(1/239).
local function arc_tangent(inverse, one)
  local positive, negative = new(), new()
  local power, n = divide(one, inverse), 1
  while #power > 0 do
    local term = divide(power, n)
    if n % 4 == 1 then positive = positive + term else negative = negative + term end
    power = divide(power, inverse * inverse)
    n = n + 2
  end
  return positive - negative
end

local function pi_digits(digits)
  local guard = 10
  local one = parse("1" .. ("0"):rep(digits + guard))
  local pi = arc_tangent(5, one) * 16 - arc_tangent(239, one) * 4
  return (tostring(pi):sub(1, digits + 1))
end

local function factorial(n)
  local product = big(1)
  for i = 2, n do product = product * i end
  return product
end

-- F(n) and F(n + 1), by the doubling formulas.
local function fibonacci(n)
  if n == 0 then return big(0), big(1) end
  local a, b = fibonacci(floor(n / 2))
  local even, odd = a * (b + b - a), a * a + b * b
  if n % 2 == 0 then return even, odd end
  return odd, even + odd
end

local function digit_sum(text)
  local sum = 0
  for digit in text:gmatch("%d") do sum = sum + tonumber(digit) end
  return sum
end

return function(scale)
  local function times(n) return math.max(1, math.floor(n * scale + 0.5)) end

  for _ = 1, times(100) do
    local pi = pi_digits(300)
    expect("first digits of pi", pi:sub(1, 31), "3141592653589793238462643383279")
    expect("decimals 291 to 300 of pi", pi:sub(292, 301), "0249141273")
  end
  for _ = 1, times(10) do
    expect("decimals 991 to 1000 of pi", pi_digits(1000):sub(992, 1001), "2164201989")
  end

  for _ = 1, times(150) do
    local text = tostring(factorial(100))
    expect("digit sum of 100!", digit_sum(text), 648)
    local n = parse(text)
    for i = 100, 2, -1 do
      local rest
      n, rest = divide(n, i)
      expect("rest of 100! by " .. i, rest, 0)
    end
    expect("100! divided by 100!", tostring(n), "1")
  end

  expect("F(100)", tostring((fibonacci(100))), "354224848179261915075")
  for i = 1, times(200) do
    -- Cassini: F(n-1) F(n+1) - F(n)^2 = (-1)^n; here n is even.
    local n = 2000 + 2 * i
    local f, above = fibonacci(n)
    local below = above - f
    expect("Cassini's identity at " .. n, (below * above - f * f) == big(1), true)
    expect("F(" .. n .. ") through text", parse(tostring(f)) == f, true)
  end
end
