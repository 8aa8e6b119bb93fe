-- Coroutines in their three usual roles: generators (a recursive tree walk), a
-- pipeline of filters (the sieve of primes), and a round-robin scheduler whose
-- tasks talk over bounded channels and are replaced as they finish. Churns
-- coroutines with their stacks, closures and message tables.

local WORKERS = 3000 -- tasks alive at once
local MESSAGES = 5 -- sent by each producer

local create, resume, yield, status = coroutine.create, coroutine.resume, coroutine.yield, coroutine.status

local function expect(what, got, expected)
  if got ~= expected then
    error(("coroutines: %s: expected %s, got %s"):format(what, tostring(expected), tostring(got)))
  end
end

-- Generators.

local function insert(tree, key)
  if not tree then return { key = key } end
  if key < tree.key then
    tree.left = insert(tree.left, key)
  else
    tree.right = insert(tree.right, key)
  end
  return tree
end

local function walk(tree)
  if tree then
    walk(tree.left)
    yield(tree.key)
    walk(tree.right)
  end
end

local function in_order(tree) return coroutine.wrap(function() walk(tree) end) end

-- Two trees with the same keys in another shape have the same fringe. `size` is
-- a prime, so the multiples of `step` visit every residue once.
local function same_fringe(size, step)
  local a, b
  for i = 1, size do
    a = insert(a, i * step % size)
    b = insert(b, (size - i) * step % size)
  end
  local next_a, next_b = in_order(a), in_order(b)
  for i = 0, size - 1 do
    expect("left fringe", next_a(), i)
    expect("right fringe", next_b(), i)
  end
end

-- Pipelines.

local function count_from(n)
  return coroutine.wrap(function()
    while true do
      yield(n)
      n = n + 1
    end
  end)
end

local function without_multiples(prime, source)
  return coroutine.wrap(function()
    while true do
      local n = source()
      if n % prime ~= 0 then yield(n) end
    end
  end)
end

local function nth_prime(n)
  local source, prime = count_from(2), nil
  for _ = 1, n do
    prime = source()
    source = without_multiples(prime, source)
  end
  return prime
end

-- Scheduler.

local Channel = {}
Channel.__index = Channel

function Channel.new(capacity)
  return setmetatable({ first = 1, last = 0, capacity = capacity, items = {} }, Channel)
end

function Channel:send(item)
  while self.last - self.first + 1 >= self.capacity do yield() end
  self.last = self.last + 1
  self.items[self.last] = item
end

function Channel:receive()
  while self.first > self.last do yield() end
  local item = self.items[self.first]
  self.items[self.first] = nil
  self.first = self.first + 1
  return item
end

local function producer(id, channel)
  return create(function()
    for i = 1, MESSAGES do
      channel:send({ sender = id, number = i })
    end
    channel:send(false)
  end)
end

local function consumer(channel, on_message)
  return create(function()
    while true do
      local message = channel:receive()
      if not message then return end
      on_message(message)
    end
  end)
end

-- Runs `pairs_to_run` producer and consumer pairs, at most WORKERS tasks at a
-- time, and returns how many tasks finished and the sum of what was received.
local function schedule(pairs_to_run)
  local tasks, started, finished, received = {}, 0, 0, 0
  local function on_message(message) received = received + message.sender * message.number end
  while true do
    while started < pairs_to_run and #tasks + 2 <= WORKERS do
      started = started + 1
      local channel = Channel.new(2)
      tasks[#tasks + 1] = producer(started, channel)
      tasks[#tasks + 1] = consumer(channel, on_message)
    end
    if #tasks == 0 then return finished, received end
    local alive = {}
    for _, task in ipairs(tasks) do
      local ok, message = resume(task)
      if not ok then error(message, 0) end
      if status(task) == "dead" then
        finished = finished + 1
      else
        alive[#alive + 1] = task
      end
    end
    tasks = alive
  end
end

return function(scale)
  local function times(n) return math.max(1, math.floor(n * scale + 0.5)) end

  for i = 1, times(700) do same_fringe(127, i % 126 + 1) end

  for _ = 1, times(30) do expect("60th prime", nth_prime(60), 281) end

  local n = times(50000)
  local finished, received = schedule(n)
  expect("finished tasks", finished, 2 * n)
  expect("sum of messages", received, n * (n + 1) / 2 * (MESSAGES * (MESSAGES + 1) / 2))
end
