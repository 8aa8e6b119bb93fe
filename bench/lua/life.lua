-- Conway's Game of Life on an unbounded plane: the living cells are the keys
-- "x,y" of a table, and each generation builds the tables of neighbour counts
-- and of the next cells. Churns short strings that are interned again and
-- again, and growing hash parts, in a small heap.

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("life: %s: expected %s, got %s"):format(what, expected, got))
  end
end

-- The coordinates are kept as the value, so that no key need be parsed.
local function add(cells, x, y) cells[x .. "," .. y] = { x = x, y = y } end

local function parse(picture)
  local cells, y = {}, 0
  for line in picture:gmatch("[^\n]+") do
    for x = 1, #line do
      if line:sub(x, x) == "O" then add(cells, x, y) end
    end
    y = y + 1
  end
  return cells
end

local function step(cells)
  local neighbours = {}
  for _, cell in pairs(cells) do
    for dy = -1, 1 do
      for dx = -1, 1 do
        if dx ~= 0 or dy ~= 0 then
          local x, y = cell.x + dx, cell.y + dy
          local key = x .. "," .. y
          local counted = neighbours[key]
          if counted then
            counted.count = counted.count + 1
          else
            neighbours[key] = { x = x, y = y, count = 1 }
          end
        end
      end
    end
  end
  local next_cells = {}
  for key, counted in pairs(neighbours) do
    if counted.count == 3 or (counted.count == 2 and cells[key]) then
      next_cells[key] = { x = counted.x, y = counted.y }
    end
  end
  return next_cells
end

local function population(cells)
  local count = 0
  for _ in pairs(cells) do count = count + 1 end
  return count
end

local GLIDER = [[
.O.
..O
OOO]]

local GUN = [[
........................O...........
......................O.O...........
............OO......OO............OO
...........O...O....OO............OO
OO........O.....O...OO..............
OO........O...O.OO....O.O...........
..........O.....O.......O...........
...........O...O....................
............OO......................]]

-- A glider moves one cell right and down every four generations.
local function fly_glider(periods)
  local cells = parse(GLIDER)
  for _ = 1, 4 * periods do cells = step(cells) end
  expect("cells of a glider", population(cells), 5)
  for _, cell in pairs(parse(GLIDER)) do
    local key = (cell.x + periods) .. "," .. (cell.y + periods)
    if not cells[key] then error("life: expected a cell of the glider at " .. key .. ", got none") end
  end
end

-- Gosper's gun is back in its first state every 30 generations, one glider
-- richer.
local function fire_gun(periods)
  local cells = parse(GUN)
  for period = 1, periods do
    for _ = 1, 30 do cells = step(cells) end
    expect("cells of the gun", population(cells), 36 + 5 * period)
  end
end

-- A random soup evolves the same in a plain array with a margin of dead cells.
local function compare_soup(random, generations)
  local size = 60
  local width = size + 2 * generations + 2
  local cells, grid = {}, {}
  for i = 1, width * width do grid[i] = 0 end
  for _ = 1, size * size / 3 do
    local x, y = generations + random(size), generations + random(size)
    add(cells, x, y)
    grid[y * width + x + 1] = 1
  end
  for _ = 1, generations do
    cells = step(cells)
    local next_grid = {}
    for i = 1, width * width do next_grid[i] = 0 end
    for i = width + 2, width * (width - 1) - 1 do
      local count = grid[i - width - 1] + grid[i - width] + grid[i - width + 1] + grid[i - 1]
        + grid[i + 1] + grid[i + width - 1] + grid[i + width] + grid[i + width + 1]
      if count == 3 or (count == 2 and grid[i] == 1) then next_grid[i] = 1 end
    end
    grid = next_grid
  end
  local count = 0
  for i = 1, width * width do
    if grid[i] == 1 then
      count = count + 1
      local key = (i - 1) % width .. "," .. math.floor((i - 1) / width)
      if not cells[key] then error("life: expected a cell of the soup at " .. key .. ", got none") end
    end
  end
  expect("cells of the soup", population(cells), count)
end

return function(scale)
  local function times(n) return math.max(1, math.floor(n * scale + 0.5)) end
  local random = lcg(1970)
  for _ = 1, times(20) do fly_glider(10) end
  for _ = 1, times(10) do fire_gun(3) end
  for _ = 1, times(20) do compare_soup(random, 5) end
end
