-- An immutable sorted map: a weight-balanced tree (Adams 1992) in which insert
-- and remove copy the path to the root and share the rest, as used for undo and
-- snapshots. Churns tree nodes; old versions stay alive, so that most nodes
-- belong to many trees and die when the last of their trees is dropped.

local KEYS = 60000 -- half of which are in the map
local VERSIONS, STEPS_PER_VERSION = 30, 200

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("persistent: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

-- The empty map is false. A subtree may be at most DELTA times as heavy as its
-- sibling; (3, 2) are the parameters proved right by Hirai and Yamamoto (2011).

local DELTA, RATIO = 3, 2

local function size(map) return map and map.size or 0 end

local function node(left, key, value, right)
  return { left = left, key = key, value = value, right = right, size = size(left) + size(right) + 1 }
end

local function balance(left, key, value, right)
  local weight_left, weight_right = size(left) + 1, size(right) + 1
  if weight_right > DELTA * weight_left then
    local inner = right.left
    if size(inner) + 1 < RATIO * (size(right.right) + 1) then
      return node(node(left, key, value, inner), right.key, right.value, right.right)
    end
    return node(node(left, key, value, inner.left), inner.key, inner.value,
      node(inner.right, right.key, right.value, right.right))
  elseif weight_left > DELTA * weight_right then
    local inner = left.right
    if size(inner) + 1 < RATIO * (size(left.left) + 1) then
      return node(left.left, left.key, left.value, node(inner, key, value, right))
    end
    return node(node(left.left, left.key, left.value, inner.left), inner.key, inner.value,
      node(inner.right, key, value, right))
  end
  return node(left, key, value, right)
end

local function get(map, key)
  while map do
    if key == map.key then return map.value end
    map = key < map.key and map.left or key > map.key and map.right
  end
  return nil
end

local function insert(map, key, value)
  if not map then return node(false, key, value, false) end
  if key < map.key then return balance(insert(map.left, key, value), map.key, map.value, map.right) end
  if key > map.key then return balance(map.left, map.key, map.value, insert(map.right, key, value)) end
  return node(map.left, key, value, map.right)
end

-- The map without its least key, and the node that held it.
local function remove_least(map)
  if not map.left then return map.right, map end
  local rest, least = remove_least(map.left)
  return balance(rest, map.key, map.value, map.right), least
end

local function remove(map, key)
  if not map then return false end
  if key < map.key then return balance(remove(map.left, key), map.key, map.value, map.right) end
  if key > map.key then return balance(map.left, map.key, map.value, remove(map.right, key)) end
  if not map.left then return map.right end
  if not map.right then return map.left end
  local rest, next_up = remove_least(map.right)
  return balance(map.left, next_up.key, next_up.value, rest)
end

-- The map of an array of { key, value } in the order of keys.
local function from_sorted(entries, first, last)
  if first > last then return false end
  local middle = math.floor((first + last) / 2)
  return node(from_sorted(entries, first, middle - 1), entries[middle].key, entries[middle].value,
    from_sorted(entries, middle + 1, last))
end

-- Calls f(key, value) for all entries in order; checks order and balance.
local function each(map, f, above, below)
  if not map then return end
  expect("key order", map.key > above and map.key < below, true)
  local weight_left, weight_right = size(map.left) + 1, size(map.right) + 1
  expect("balance", weight_left <= DELTA * weight_right and weight_right <= DELTA * weight_left, true)
  expect("size", map.size, weight_left + weight_right - 1)
  each(map.left, f, above, map.key)
  f(map.key, map.value)
  each(map.right, f, map.key, below)
end

local function checksum(map)
  local sum = 0
  each(map, function(key, value) sum = sum + key * 7 + value end, -math.huge, math.huge)
  return sum
end

return function(scale)
  local random = lcg(161803)
  local map, mirror = false, {} -- the same entries in a plain table
  local count, sum = 0, 0 -- of the entries of the mirror

  local function put(key, value)
    local old = mirror[key]
    if old then sum = sum - key * 7 - old else count = count + 1 end
    sum = sum + key * 7 + value
    mirror[key] = value
    map = insert(map, key, value)
  end

  local function drop(key)
    local old = mirror[key]
    if old then sum, count = sum - key * 7 - old, count - 1 end
    mirror[key] = nil
    map = remove(map, key)
  end

  local entries = {}
  for key = 2, KEYS, 2 do
    local value = random(1000)
    entries[#entries + 1] = { key = key, value = value }
    mirror[key], count, sum = value, count + 1, sum + key * 7 + value
  end
  map = from_sorted(entries, 1, #entries)

  local versions = {}
  for version = 1, math.max(1, math.floor(240 * scale + 0.5)) do
    for _ = 1, STEPS_PER_VERSION do
      local key = random(KEYS)
      local choice = random(4)
      if choice == 1 then
        put(key, random(1000))
      elseif choice == 2 then
        drop(key)
      else
        expect("value of " .. key, get(map, key), mirror[key])
      end
    end
    expect("size of version " .. version, size(map), count)
    versions[version % VERSIONS + 1] = { map = map, count = count, sum = sum }
  end

  -- Old versions are what they were: look at every tenth, and at the newest.
  for i, version in ipairs(versions) do
    if i % 10 == 0 then
      expect("size of a kept version", size(version.map), version.count)
      expect("checksum of a kept version", checksum(version.map), version.sum)
    end
  end
  expect("checksum of the newest version", checksum(map), sum)
end
