-- Shortest paths on a grid of weighted cells: Dijkstra over the whole map and
-- A* between two places, with a binary heap whose entries are dropped lazily.
-- The map, with its node and edge records, lives on; each search churns heap
-- entries, its table of distances, and the paths it returns.

local WIDTH, HEIGHT = 110, 110
local KEPT_PATHS = 200

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("graph: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

local Heap = {}
Heap.__index = Heap

function Heap.new() return setmetatable({ size = 0 }, Heap) end

function Heap:push(priority, node)
  local entry = { priority = priority, node = node }
  local i = self.size + 1
  self.size = i
  while i > 1 do
    local parent = math.floor(i / 2)
    if self[parent].priority <= priority then break end
    self[i] = self[parent]
    i = parent
  end
  self[i] = entry
end

function Heap:pop()
  local size = self.size
  if size == 0 then return nil end
  local top, last = self[1], self[size]
  self[size] = nil
  size = size - 1
  self.size = size
  if size > 0 then
    local i = 1
    while true do
      local child = 2 * i
      if child > size then break end
      if child < size and self[child + 1].priority < self[child].priority then child = child + 1 end
      if self[child].priority >= last.priority then break end
      self[i] = self[child]
      i = child
    end
    self[i] = last
  end
  return top
end

local function make_grid(random)
  local nodes = {}
  for y = 0, HEIGHT - 1 do
    for x = 0, WIDTH - 1 do nodes[#nodes + 1] = { x = x, y = y, edges = {} } end
  end
  local function connect(a, b)
    local weight = random(9)
    a.edges[#a.edges + 1] = { to = b, weight = weight }
    b.edges[#b.edges + 1] = { to = a, weight = weight }
  end
  for i, node in ipairs(nodes) do
    if node.x > 0 then connect(node, nodes[i - 1]) end
    if node.y > 0 then connect(node, nodes[i - WIDTH]) end
  end
  return nodes
end

-- Best-first search. `estimate(node)` must never exceed the distance left; with
-- no target the whole map is searched. Returns distances and predecessors.
local function search(source, target, estimate)
  local distance, previous, closed = { [source] = 0 }, {}, {}
  local heap = Heap.new()
  heap:push(estimate(source), source)
  while true do
    local entry = heap:pop()
    if not entry then break end
    local node = entry.node
    if node == target then break end
    if not closed[node] then
      closed[node] = true
      for _, edge in ipairs(node.edges) do
        local to, length = edge.to, distance[node] + edge.weight
        if not distance[to] or length < distance[to] then
          distance[to], previous[to] = length, node
          heap:push(length + estimate(to), to)
        end
      end
    end
  end
  return distance, previous
end

local function no_estimate() return 0 end

local function path_to(target, previous)
  local path = {}
  while target do
    table.insert(path, { x = target.x, y = target.y, node = target })
    target = previous[target]
  end
  return path
end

local function path_length(path)
  local length = 0
  for i = 2, #path do
    local best
    for _, edge in ipairs(path[i].node.edges) do
      if edge.to == path[i - 1].node then best = edge.weight end
    end
    if not best then error("graph: two neighbours on a path share no edge") end
    length = length + best
  end
  return length
end

-- Distances are the shortest ones if and only if no edge leads to a shorter
-- way, and each node but the source has an edge that reaches it exactly.
local function certify(nodes, source, distance)
  expect("distance of the source", distance[source], 0)
  for _, node in ipairs(nodes) do
    local reached = node == source
    for _, edge in ipairs(node.edges) do
      local through = distance[edge.to] + edge.weight
      if through < distance[node] then expect("shortest distance", distance[node], through) end
      if through == distance[node] then reached = true end
    end
    expect("an edge reaches the node", reached, true)
  end
end

return function(scale)
  local random = lcg(5)
  local nodes = make_grid(random)
  local paths = {}
  for round = 1, math.max(1, math.floor(16 * scale + 0.5)) do
    local source = nodes[random(#nodes)]
    local distance, previous = search(source, nil, no_estimate)
    certify(nodes, source, distance)
    local target = nodes[random(#nodes)]
    local astar_distance, astar_previous = search(source, target, function(node)
      return math.abs(node.x - target.x) + math.abs(node.y - target.y)
    end)
    expect("distance by A*", astar_distance[target], distance[target])
    local path = path_to(target, astar_previous)
    expect("length of a path of A*", path_length(path), distance[target])
    for i = 1, 20 do
      local place = nodes[random(#nodes)]
      local way = path_to(place, previous)
      expect("length of a path of Dijkstra", path_length(way), distance[place])
      paths[(round * 20 + i) % KEPT_PATHS + 1] = way
    end
  end
end
