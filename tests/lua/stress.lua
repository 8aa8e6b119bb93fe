-- stress.lua MODE: objects of every kind are made, changed, checked and dropped in a random order, while
-- the collector works in the given mode. What it prints depends neither on that nor on the allocator.
local mode = assert(arg[1], "usage: stress.lua MODE")
local OPERATIONS = 16000
local SLOTS = 2000

local function set_up(step_every)
  return function()
    collectgarbage("stop")
    return function(i) if i % step_every == 0 then collectgarbage("step", 50) end end
  end
end

local function tune(name, percent)
  if _VERSION == "Lua 5.5" then collectgarbage("param", name, percent) return end
  collectgarbage("set" .. name, percent)
end

local MODES = {
  default = function() end,
  eager = function()
    tune("pause", 110)
    tune("stepmul", 400)
  end,
  lazy = function()
    tune("pause", 400)
    tune("stepmul", 120)
  end,
  steps = set_up(10),
  full = function() return function(i) if i % 2000 == 0 then collectgarbage() end end end,
  generational = function()
    if _VERSION == "Lua 5.1" or _VERSION == "Lua 5.3" then return end
    collectgarbage("generational")
    return function(i)
      -- Between the modes, too.
      if i % 5000 == 0 then collectgarbage(i % 10000 == 0 and "generational" or "incremental") end
    end
  end,
}
local each = assert(MODES[mode], "no such mode")() or function() end

-- The same numbers in every version.
local seed = 12345
local function random(n)
  seed = seed * 16807 % 2147483647
  return seed % n + 1
end

local unpack = table.unpack or unpack
local finalized = 0
local function finalizable(f)
  if _VERSION == "Lua 5.1" then
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = f
    return proxy
  end
  return setmetatable({}, { __gc = f })
end

-- Each kind: make(n), then sum(object, n) any number of times, which also changes it.
local kinds = {
  { -- an array that grows and shrinks
    make = function(n)
      local t = {}
      for i = 1, n do t[i] = i end
      return t
    end,
    sum = function(t, n)
      local sum = 0
      for i = 1, #t do sum = sum + t[i] end
      for i = #t + 1, #t + 5 do t[i] = i end
      if #t > 2 * n + 20 then for i = #t, n + 1, -1 do t[i] = nil end end
      return sum
    end,
  },
  { -- a hash with strings of many lengths
    make = function(n)
      local t = {}
      for i = 1, n % 60 do t["key" .. i] = ("v"):rep(i * n % 400) end
      return t
    end,
    sum = function(t, n)
      local sum = 0
      for i = 1, n % 60 do
        local v = t["key" .. i]
        assert(v == nil or #v == i * n % 400)
        sum = sum + (v and #v or 7)
      end
      t["key" .. random(60)] = nil
      return sum
    end,
  },
  { -- closures over shared variables
    make = function(n)
      local a, b = n, 0
      return { function(x) a = a + x return a end, function() b = b + a return b % 1000003 end }
    end,
    sum = function(t, n) return t[1](n) + t[2]() end,
  },
  { -- a coroutine with a deep stack of its own
    make = function(n)
      local function dig(depth)
        if depth == 0 then return coroutine.yield(n) end
        local a, b, c = depth, depth * 2, depth * 3
        local got = dig(depth - 1)
        assert(a == depth and b == depth * 2 and c == depth * 3)
        return got
      end
      return coroutine.wrap(function() while true do assert(dig(n % 50 + 1) == n) end end)
    end,
    sum = function(co, n) return co(n) end,
  },
  { -- a tree
    make = function(n)
      local function tree(depth) return depth == 0 and { n } or { tree(depth - 1), tree(depth - 1) } end
      return tree(n % 7)
    end,
    sum = function(t)
      local function sum(node) return node[2] and sum(node[1]) + sum(node[2]) or node[1] end
      return sum(t)
    end,
  },
  { -- a long string made of parts
    make = function(n)
      local parts = {}
      for i = 1, n do parts[i] = i % 10 end
      return { table.concat(parts) }
    end,
    sum = function(t, n)
      t[1] = t[1]:sub(2) .. t[1]:sub(1, 1)
      return #t[1] + (t[1]:byte(n % #t[1] + 1) or 0)
    end,
  },
  { -- weak keys and values beside strong ones
    make = function(n)
      local strong = {}
      local weak = setmetatable({}, { __mode = n % 2 == 0 and "k" or "v" })
      for i = 1, n % 40 + 1 do
        local key, value = { i }, { i * n }
        if n % 2 == 0 then strong[i], weak[key] = key, value
        else strong[i], weak[i] = value, value end
        weak[{}] = n % 2 == 0 and {} or nil
      end
      return { strong, weak }
    end,
    sum = function(t, n)
      local sum = 0
      for i, o in ipairs(t[1]) do
        sum = sum + (n % 2 == 0 and t[2][o][1] or t[2][i][1])
        assert(sum % n == 0)
      end
      return sum
    end,
  },
  { -- finalizers and varargs
    make = function(n)
      return { n, finalizable(function() finalized = finalized + 1 end) }
    end,
    sum = function(t, n)
      local list = {}
      for i = 1, n % 200 do list[i] = i end
      return select("#", unpack(list)) + t[1]
    end,
  },
}

local slots, made = {}, 0
local checksum = 0
for i = 1, OPERATIONS do
  local at = random(SLOTS)
  local slot = slots[at]
  if not slot or random(4) == 1 then
    local kind, n = kinds[random(#kinds)], random(120)
    slots[at] = { kind = kind, n = n, object = kind.make(n) }
    made = made + 1
  elseif random(10) == 1 then
    slots[at] = nil
  else
    checksum = (checksum * 31 + slot.kind.sum(slot.object, slot.n)) % 1000000007
  end
  each(i)
  if i % 4000 == 0 then print(i, made, ("%d"):format(checksum)) end
end
slots = nil
collectgarbage("restart")
for _ = 1, 4 do collectgarbage() end
print(("%d"):format(checksum), finalized > 300)
