-- Tables as a data-processing script uses them: batches of order records are
-- read into an array, grouped into a hash of arrays, sorted and summed up; a
-- sparse table and a work list grow and shrink beside them. Churns small
-- records, growing array parts and rehashed hash parts; the last few batches
-- stay alive.

local ORDERS, CUSTOMERS, KEPT_BATCHES = 2000, 150, 12

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("tables: %s: expected %s, got %s"):format(what, expected, got))
  end
end

local function read_batch(random, batch)
  local orders, total = {}, 0
  for i = 1, ORDERS do
    local order = { id = batch * ORDERS + i, customer = random(CUSTOMERS), lines = {} }
    for line = 1, random(4) do
      local cents = random(10000)
      order.lines[line] = { item = random(500), cents = cents }
      total = total + cents
    end
    orders[#orders + 1] = order
  end
  return orders, total
end

local function group_by_customer(orders)
  local groups = {}
  for _, order in ipairs(orders) do
    local group = groups[order.customer]
    if not group then
      group = {}
      groups[order.customer] = group
    end
    local cents = 0
    for _, line in ipairs(order.lines) do cents = cents + line.cents end
    group[#group + 1] = { id = order.id, cents = cents }
  end
  return groups
end

local function dearest_first(a, b)
  if a.cents ~= b.cents then return a.cents > b.cents end
  return a.id < b.id
end

-- The three dearest orders and the sum of each customer.
local function summarize(groups)
  local report = {}
  for customer = 1, CUSTOMERS do
    local group = groups[customer]
    if group then
      table.sort(group, dearest_first)
      local sum = 0
      for i, order in ipairs(group) do
        sum = sum + order.cents
        if i > 1 and group[i - 1].cents < order.cents then
          error("tables: a group is not sorted by price")
        end
      end
      report[#report + 1] =
        { customer = customer, count = #group, sum = sum, top = { group[1], group[2], group[3] } }
    end
  end
  return report
end

-- Fills a sparse hash, deletes two keys of three, and refills with other keys.
local function sparse_round(size)
  local sparse = {}
  for i = 1, size do sparse[i * 1000] = i end
  for i = 1, size do
    if i % 3 ~= 0 then sparse[i * 1000] = nil end
  end
  for i = 1, size do sparse["key" .. i % 50] = (sparse["key" .. i % 50] or 0) + 1 end
  local sum = 0
  for _, value in pairs(sparse) do sum = sum + value end
  local thirds = math.floor(size / 3)
  expect("sum of a sparse table", sum, 3 * thirds * (thirds + 1) / 2 + size)
end

-- A depth-first work list: each job of weight n pushes its two halves.
local function work_list_round(weight)
  local stack, leaves = { { weight = weight, level = 0 } }, 0
  while #stack > 0 do
    local job = table.remove(stack)
    if job.weight == 1 then
      leaves = leaves + 1
    else
      local half = math.floor(job.weight / 2)
      stack[#stack + 1] = { weight = half, level = job.level + 1 }
      stack[#stack + 1] = { weight = job.weight - half, level = job.level + 1 }
    end
  end
  expect("leaves of the work list", leaves, weight)
end

return function(scale)
  local random = lcg(2024)
  local kept = {}
  for batch = 1, math.max(1, math.floor(70 * scale + 0.5)) do
    local orders, total = read_batch(random, batch)
    local report = summarize(group_by_customer(orders))
    local count, sum = 0, 0
    for _, row in ipairs(report) do
      count, sum = count + row.count, sum + row.sum
    end
    expect("orders in the report", count, ORDERS)
    expect("cents in the report", sum, total)
    kept[#kept + 1] = { orders = orders, report = report }
    if #kept > KEPT_BATCHES then table.remove(kept, 1) end
    sparse_round(1500)
    work_list_round(1000)
  end
  for i = 2, #kept do
    expect("first id of a kept batch", kept[i].orders[1].id, kept[i - 1].orders[ORDERS].id + 1)
  end
end
