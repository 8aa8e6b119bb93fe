-- A text editor's buffer as a rope: an immutable balanced tree with short
-- strings as leaves, edited by splitting and joining, with an undo history.
-- Churns tree nodes and string fragments of many lengths; the history keeps
-- old ropes alive.

local HISTORY = 400
local LEAF = 120 -- a leaf is split above this length
local INITIAL_LINES = 4000

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("rope: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

-- A rope is a string, or a node { left, right, length, height }. Joining keeps
-- the heights of siblings within 1 of each other, as in an AVL tree.

local function length(rope) return type(rope) == "string" and #rope or rope.length end

local function height(rope) return type(rope) == "string" and 0 or rope.height end

local function node(left, right)
  return { left = left, right = right, length = length(left) + length(right),
    height = math.max(height(left), height(right)) + 1 }
end

-- A node of two ropes whose heights differ by at most 2.
local function balance(left, right)
  local difference = height(left) - height(right)
  if difference > 1 then
    if height(left.left) >= height(left.right) then return node(left.left, node(left.right, right)) end
    local middle = left.right
    return node(node(left.left, middle.left), node(middle.right, right))
  elseif difference < -1 then
    if height(right.right) >= height(right.left) then return node(node(left, right.left), right.right) end
    local middle = right.left
    return node(node(left, middle.left), node(middle.right, right.right))
  end
  return node(left, right)
end

local function join(left, right)
  if length(left) == 0 then return right end
  if length(right) == 0 then return left end
  if type(left) == "string" and type(right) == "string" and #left + #right <= LEAF then
    return left .. right
  end
  local difference = height(left) - height(right)
  if difference > 1 then return balance(left.left, join(left.right, right)) end
  if difference < -1 then return balance(join(left, right.left), right.right) end
  return node(left, right)
end

-- The first `at` bytes, and the rest.
local function split(rope, at)
  if type(rope) == "string" then return rope:sub(1, at), rope:sub(at + 1) end
  local left_length = length(rope.left)
  if at < left_length then
    local first, second = split(rope.left, at)
    return first, join(second, rope.right)
  elseif at > left_length then
    local first, second = split(rope.right, at - left_length)
    return join(rope.left, first), second
  end
  return rope.left, rope.right
end

local function from_string(text)
  if #text <= LEAF then return text end
  local half = math.floor(#text / 2)
  return node(from_string(text:sub(1, half)), from_string(text:sub(half + 1)))
end

local function collect(rope, parts)
  if type(rope) == "string" then
    parts[#parts + 1] = rope
  else
    collect(rope.left, parts)
    collect(rope.right, parts)
  end
  return parts
end

local function to_string(rope) return table.concat(collect(rope, {})) end

local function insert(rope, at, text)
  local before, after = split(rope, at)
  return join(join(before, from_string(text)), after)
end

-- The rope without `count` bytes behind `at`, and these bytes.
local function delete(rope, at, count)
  local before, rest = split(rope, at)
  local removed, after = split(rest, count)
  return join(before, after), to_string(removed)
end

local function check_balance(rope)
  if type(rope) == "string" then return end
  if math.abs(height(rope.left) - height(rope.right)) > 1 then error("rope: a node is out of balance") end
  check_balance(rope.left)
  check_balance(rope.right)
end

local WORDS = { "local ", "return ", "function ", "end\n", "x = x + 1\n", "-- a comment\n", "(a, b)", "\t" }

local function make_text(random, words)
  local parts = {}
  for i = 1, words do parts[i] = WORDS[random(#WORDS)] end
  return table.concat(parts)
end

-- Edits a rope and a plain string alike; they must stay the same text.
local function compare_with_string(random, edits)
  local plain = make_text(random, 300)
  local rope = from_string(plain)
  for _ = 1, edits do
    local at = random(#plain + 1) - 1
    if random(2) == 1 then
      local text = make_text(random, random(20))
      rope, plain = insert(rope, at, text), plain:sub(1, at) .. text .. plain:sub(at + 1)
    else
      local removed
      local count = math.min(random(100), #plain - at)
      rope, removed = delete(rope, at, count)
      expect("deleted text", removed, plain:sub(at + 1, at + count))
      plain = plain:sub(1, at) .. plain:sub(at + count + 1)
    end
  end
  expect("edited text", to_string(rope), plain)
end

return function(scale)
  local random = lcg(42)
  compare_with_string(random, 200)

  local original = make_text(random, INITIAL_LINES * 4)
  local rope = from_string(original)
  for session = 1, math.max(1, math.floor(24 * scale + 0.5)) do
    -- A session makes edits, each undoable, and then takes all of them back:
    -- by the opposite edit, or by the version kept in the history.
    local history = {}
    for i = 1, HISTORY do
      local at = random(length(rope) + 1) - 1
      if random(5) <= 3 then
        local text = make_text(random, random(12))
        history[i] = { version = rope, at = at, added = #text }
        rope = insert(rope, at, text)
      else
        local count, removed = math.min(random(150), length(rope) - at), nil
        history[i] = { version = rope, at = at }
        rope, removed = delete(rope, at, count)
        history[i].removed = removed
      end
    end
    check_balance(rope)
    for i = HISTORY, 1, -1 do
      local edit = history[i]
      if i % 8 == 0 then
        rope = edit.version
      elseif edit.removed then
        rope = insert(rope, edit.at, edit.removed)
      else
        rope = delete(rope, edit.at, edit.added)
      end
      expect("length after undo", length(rope), length(edit.version))
    end
    expect("text after session " .. session, to_string(rope), original)
  end
end
