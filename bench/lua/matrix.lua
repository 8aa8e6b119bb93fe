-- Small dense matrices as tables of row tables: products, transposes,
-- Gauss-Jordan inversion on augmented rows, and slices. Churns arrays of
-- floats, whose sizes vary; the last results stay alive.

local WINDOW = 30
local MIN_SIZE, MAX_SIZE = 6, 40

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function fail(what, expected, got)
  error(("matrix: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
end

local function generate(rows, columns, f)
  local m = {}
  for i = 1, rows do
    local row = {}
    for j = 1, columns do row[j] = f(i, j) end
    m[i] = row
  end
  return m
end

local function transpose(a) return generate(#a[1], #a, function(i, j) return a[j][i] end) end

local function multiply(a, b)
  local columns, product = transpose(b), {}
  for i, row in ipairs(a) do
    local out = {}
    for j, column in ipairs(columns) do
      local sum = 0
      for k = 1, #row do sum = sum + row[k] * column[k] end
      out[j] = sum
    end
    product[i] = out
  end
  return product
end

local function apply(a, x)
  local y = {}
  for i, row in ipairs(a) do
    local sum = 0
    for j = 1, #row do sum = sum + row[j] * x[j] end
    y[i] = sum
  end
  return y
end

local function slice(row, first, last)
  local part = {}
  for i = first, last do part[#part + 1] = row[i] end
  return part
end

-- row - factor * pivot, as a new row
local function eliminate(row, pivot, factor)
  local out = {}
  for j = 1, #row do out[j] = row[j] - factor * pivot[j] end
  return out
end

local function invert(a)
  local n, rows = #a, {}
  for i = 1, n do
    local row = slice(a[i], 1, n)
    for j = 1, n do row[n + j] = i == j and 1 or 0 end
    rows[i] = row
  end
  for column = 1, n do
    local best = column
    for i = column + 1, n do
      if math.abs(rows[i][column]) > math.abs(rows[best][column]) then best = i end
    end
    rows[column], rows[best] = rows[best], rows[column]
    local pivot, scaled = rows[column], {}
    for j = 1, 2 * n do scaled[j] = pivot[j] / pivot[column] end
    rows[column] = scaled
    for i = 1, n do
      if i ~= column and rows[i][column] ~= 0 then
        rows[i] = eliminate(rows[i], scaled, rows[i][column])
      end
    end
  end
  local inverse = {}
  for i = 1, n do inverse[i] = slice(rows[i], n + 1, 2 * n) end
  return inverse
end

local function expect_equal(what, a, b)
  for i = 1, #b do
    for j = 1, #b[i] do
      if a[i][j] ~= b[i][j] then fail(what, b[i][j], a[i][j]) end
    end
  end
end

local function round_trip(random, n)
  -- Entries are halves of small integers, so that sums and products are exact.
  local function entry() return (random(41) - 21) / 2 end
  local a, b = generate(n, n + 3, entry), generate(n + 3, n, entry)
  local product = multiply(a, b)

  -- (AB)' = B'A', and (AB)x = A(Bx).
  expect_equal("transposed product", transpose(product), multiply(transpose(b), transpose(a)))
  local x = {}
  for i = 1, n do x[i] = entry() end
  expect_equal("product with a vector", { apply(product, x) }, { apply(a, apply(b, x)) })

  -- With one heavy entry in each row and column it is well conditioned.
  local c = generate(n, n, function(i, j) return j == (i + 2) % n + 1 and 25 * n or entry() end)
  local inverse = invert(c)
  local identity = multiply(c, inverse)
  for i = 1, n do
    for j = 1, n do
      local expected = i == j and 1 or 0
      if not (math.abs(identity[i][j] - expected) < 1e-9) then
        fail("matrix times its inverse", expected, identity[i][j])
      end
    end
  end
  return { product = product, x = x, y = apply(product, x), inverse = inverse }
end

return function(scale)
  local random = lcg(271828)
  local window = {}
  for round = 1, math.max(1, math.floor(180 * scale + 0.5)) do
    window[round % WINDOW + 1] = round_trip(random, MIN_SIZE + random(MAX_SIZE - MIN_SIZE))
  end
  for _, kept in pairs(window) do
    expect_equal("a kept product", { apply(kept.product, kept.x) }, { kept.y })
  end
end
