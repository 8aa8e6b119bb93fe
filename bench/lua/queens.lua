-- The n queens puzzle with immutable linked lists, as a functional programmer
-- writes it: every partial placement is a list that shares its tail with
-- others, and solutions are collected, mirrored and compared. Churns two-field
-- list cells in a small heap.

local function expect(what, got, expected)
  if got ~= expected then
    error(("queens: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

local function cons(head, tail) return { head = head, tail = tail } end

local function map(f, list)
  if not list then return nil end
  return cons(f(list.head), map(f, list.tail))
end

local function filter(keep, list)
  if not list then return nil end
  if keep(list.head) then return cons(list.head, filter(keep, list.tail)) end
  return filter(keep, list.tail)
end

local function append(a, b)
  if not a then return b end
  return cons(a.head, append(a.tail, b))
end

local function concat_map(f, list)
  if not list then return nil end
  return append(f(list.head), concat_map(f, list.tail))
end

local function range(first, last)
  if first > last then return nil end
  return cons(first, range(first + 1, last))
end

local function length(list)
  local count = 0
  while list do
    count, list = count + 1, list.tail
  end
  return count
end

local function equal(a, b)
  while a and b do
    if a.head ~= b.head then return false end
    a, b = a.tail, b.tail
  end
  return a == b
end

local function safe(column, placed)
  local distance = 1
  while placed do
    local other = placed.head
    if other == column or other == column + distance or other == column - distance then return false end
    placed, distance = placed.tail, distance + 1
  end
  return true
end

-- All ways to place queens in the first `rows` rows: a list of lists of columns.
local function solve(rows, size)
  if rows == 0 then return cons(nil, nil) end
  return concat_map(function(placed)
    if placed == nil and rows > 1 then return nil end
    local columns = filter(function(column) return safe(column, placed) end, range(1, size))
    return map(function(column) return cons(column, placed) end, columns)
  end, solve(rows - 1, size))
end

-- Sizes of the board and their numbers of solutions (OEIS A000170).
local SOLUTIONS = { 1, 0, 0, 2, 10, 4, 40, 92, 352 }

return function(scale)
  for round = 1, math.max(1, math.floor(40 * scale + 0.5)) do
    local size = 6 + round % 4 -- 6 to 9
    local solutions = solve(size, size)
    expect("solutions for size " .. size, length(solutions), SOLUTIONS[size])
    -- The mirror image of a solution is another solution.
    local list = solutions
    while list do
      local mirrored = map(function(column) return size + 1 - column end, list.head)
      local found = filter(function(other) return equal(other, mirrored) end, solutions)
      expect("mirror images of a solution", length(found), 1)
      list = list.tail
    end
  end
end
