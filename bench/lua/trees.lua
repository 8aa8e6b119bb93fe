-- Binary trees, after the program of the Benchmarks Game: one big tree lives
-- through the whole run while trees of many depths are built, walked and
-- dropped. Churns one kind of object, a two-slot table; the last few trees of
-- each depth stay alive for a while, so that death is not always immediate.

local LONG_LIVED_DEPTH = 16
local MIN_DEPTH, MAX_DEPTH = 4, 14
local KEPT = 4

local function build(depth)
  if depth == 0 then return {} end
  return { build(depth - 1), build(depth - 1) }
end

local function count(tree)
  if not tree[1] then return 1 end
  return 1 + count(tree[1]) + count(tree[2])
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("trees: %s: expected %s, got %s"):format(what, expected, got))
  end
end

return function(scale)
  local long_lived = build(LONG_LIVED_DEPTH)

  for depth = MIN_DEPTH, MAX_DEPTH, 2 do
    -- Every depth gets about the same number of nodes.
    local trees = math.max(1, math.floor(12 * scale * 2 ^ (MAX_DEPTH - depth) + 0.5))
    local recent, nodes = {}, 0
    for i = 1, trees do
      local tree = build(depth)
      recent[i % KEPT + 1] = tree
      nodes = nodes + count(tree)
    end
    expect("nodes at depth " .. depth, nodes, trees * (2 ^ (depth + 1) - 1))
    for _, tree in pairs(recent) do
      expect("a kept tree of depth " .. depth, count(tree), 2 ^ (depth + 1) - 1)
    end
  end

  expect("the long-lived tree", count(long_lived), 2 ^ (LONG_LIVED_DEPTH + 1) - 1)
end
