-- A least-recently-used cache: a hash from string keys to the nodes of a doubly
-- linked list. Requests come in two kinds, a popular set and a long tail, and
-- misses build a new value and evict the oldest. Churns list nodes, small value
-- tables and key strings, in an order unlike that of their creation.

local CAPACITY = 25000
local KEYS, POPULAR = 100000, 12000

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("lru: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

local Cache = {}
Cache.__index = Cache

function Cache.new(capacity)
  local newest, oldest = {}, {} -- sentinels: the ends of the list
  newest.older, oldest.newer = oldest, newest
  return setmetatable({ capacity = capacity, size = 0, evicted = 0, nodes = {},
    newest = newest, oldest = oldest }, Cache)
end

local function unlink(node)
  node.newer.older = node.older
  node.older.newer = node.newer
end

function Cache:put_first(node)
  local newest = self.newest
  node.newer, node.older = newest, newest.older
  newest.older.newer = node
  newest.older = node
end

function Cache:get(key)
  local node = self.nodes[key]
  if not node then return nil end
  unlink(node)
  self:put_first(node)
  return node.value
end

function Cache:put(key, value)
  if self.size == self.capacity then
    local victim = self.oldest.newer
    unlink(victim)
    self.nodes[victim.key] = nil
    self.size, self.evicted = self.size - 1, self.evicted + 1
  end
  local node = { key = key, value = value }
  self.nodes[key] = node
  self:put_first(node)
  self.size = self.size + 1
end

local function key_of(id) return "user:" .. id .. "/profile" end

local function load_profile(id)
  return { id = id, name = "name " .. id, groups = { id % 7, id % 11, id % 13 }, visits = 0 }
end

return function(scale)
  local random = lcg(31337)
  local cache = Cache.new(CAPACITY)
  local last_request, hits, misses = {}, 0, 0
  for id = 1, KEYS do last_request[id] = 0 end

  local function request(id, time)
    local key = key_of(id)
    -- The cache holds what was requested since its oldest entry was.
    local oldest = cache.oldest.newer.value
    local must_hit = cache.size > 0 and last_request[id] >= last_request[oldest.id]
    local profile = cache:get(key)
    if (profile ~= nil) ~= must_hit then expect("a hit for " .. key, profile ~= nil, must_hit) end
    if profile then
      hits = hits + 1
    else
      misses = misses + 1
      profile = load_profile(id)
      cache:put(key, profile)
    end
    if profile.id ~= id then expect("profile of " .. key, profile.id, id) end
    profile.visits = profile.visits + 1
    last_request[id] = time
  end

  -- The cache is filled, and after that gets a mix of requests.
  for id = 1, CAPACITY do request(id, id) end
  expect("misses while filling", misses, CAPACITY)
  local requests = math.max(1, math.floor(220000 * scale + 0.5))
  for i = 1, requests do
    request(random(100) <= 60 and random(POPULAR) or random(KEYS), CAPACITY + i)
  end

  expect("hits and misses", hits + misses, CAPACITY + requests)
  expect("evictions", cache.evicted, misses - CAPACITY)
  -- The cache must hold the ids requested last, newest first.
  local listed, node, time = 0, cache.newest.older, math.huge
  while node ~= cache.oldest do
    local id = node.value.id
    expect("key of id " .. id, node.key, key_of(id))
    if last_request[id] >= time then error("lru: the list is not in the order of the requests") end
    listed, node, time = listed + 1, node.older, last_request[id]
  end
  local recent = 0 -- ids requested no earlier than the oldest one in the cache
  for id = 1, KEYS do
    if last_request[id] >= time then recent = recent + 1 end
  end
  expect("nodes in the list", listed, CAPACITY)
  expect("ids requested recently", recent, CAPACITY)
end
