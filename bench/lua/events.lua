-- Discrete-event simulation: customers think, walk to a station, wait in its
-- queue, are served, and go home; their places are taken by others. A binary
-- heap orders the event records. Churns events, customers with their visit
-- records, and queue nodes. Times are whole numbers, so that Little's law (the
-- integral of the number of customers is the sum of their stays) is exact.

local CUSTOMERS = 8000 -- at home or on their way, at all times
local STATIONS, SERVERS = 40, 2

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("events: %s: expected %s, got %s"):format(what, expected, got))
  end
end

-- Events are ordered by time, and among equals by the order of scheduling.

local Queue = {}
Queue.__index = Queue

function Queue.new() return setmetatable({ heap = {}, scheduled = 0 }, Queue) end

local function before(a, b)
  if a.time ~= b.time then return a.time < b.time end
  return a.number < b.number
end

function Queue:schedule(time, kind, customer, station)
  local heap, number = self.heap, self.scheduled + 1
  self.scheduled = number
  local event = { time = time, number = number, kind = kind, customer = customer, station = station }
  local i = #heap + 1
  while i > 1 do
    local parent = math.floor(i / 2)
    if before(heap[parent], event) then break end
    heap[i] = heap[parent]
    i = parent
  end
  heap[i] = event
end

function Queue:next()
  local heap = self.heap
  local size = #heap
  if size == 0 then return nil end
  local first, last = heap[1], heap[size]
  heap[size] = nil
  size = size - 1
  if size > 0 then
    local i = 1
    while true do
      local child = 2 * i
      if child > size then break end
      if child < size and before(heap[child + 1], heap[child]) then child = child + 1 end
      if before(last, heap[child]) then break end
      heap[i] = heap[child]
      i = child
    end
    heap[i] = last
  end
  return first
end

local Shop = {}
Shop.__index = Shop

function Shop.new(random)
  local shop = setmetatable({ random = random, queue = Queue.new(), now = 0, inside = 0, area = 0,
    stays = 0, entered = 0, left = 0, served = 0, stations = {} }, Shop)
  for i = 1, STATIONS do shop.stations[i] = { idle = SERVERS, served = 0 } end
  return shop
end

-- A new customer: how many stations to visit, and what happened there.
function Shop:invite()
  local customer = { to_visit = self.random(4), visits = {} }
  self.queue:schedule(self.now + self.random(20000), "enter", customer)
end

function Shop:serve(customer, station)
  station.idle = station.idle - 1
  self.queue:schedule(self.now + 10 + self.random(40), "done", customer, station)
end

function Shop:walk(customer)
  self.queue:schedule(self.now + self.random(30), "arrive", customer, self.stations[self.random(STATIONS)])
end

local HANDLE = {}

function HANDLE.enter(shop, event)
  event.customer.entered_at = shop.now
  shop.entered, shop.inside = shop.entered + 1, shop.inside + 1
  shop:walk(event.customer)
end

function HANDLE.arrive(shop, event)
  local customer, station = event.customer, event.station
  table.insert(customer.visits, { station = station, arrived = shop.now })
  if station.idle > 0 then
    shop:serve(customer, station)
  else -- the waiting line is a linked list
    local node = { customer = customer }
    if station.last then station.last.behind = node else station.first = node end
    station.last = node
  end
end

function HANDLE.done(shop, event)
  local customer, station = event.customer, event.station
  station.idle, station.served = station.idle + 1, station.served + 1
  local first = station.first
  if first then
    station.first = first.behind
    if not first.behind then station.last = nil end
    shop:serve(first.customer, station)
  end
  customer.visits[#customer.visits].finished = shop.now
  if #customer.visits < customer.to_visit then
    shop:walk(customer)
    return
  end
  shop.inside, shop.left = shop.inside - 1, shop.left + 1
  shop.stays = shop.stays + shop.now - customer.entered_at
  for i, visit in ipairs(customer.visits) do
    if visit.finished <= visit.arrived then error("events: a visit ended before it began") end
    shop.served = shop.served + 1
    if i > 1 and visit.arrived <= customer.visits[i - 1].finished then
      error("events: a visit began before the last one ended")
    end
  end
  if shop.open then shop:invite() end
end

function Shop:step()
  local event = self.queue:next()
  if not event then return false end
  if event.time < self.now then error("events: time ran backwards") end
  self.area = self.area + self.inside * (event.time - self.now)
  self.now = event.time
  HANDLE[event.kind](self, event)
  return true
end

return function(scale)
  local shop = Shop.new(lcg(2718))
  shop.open = true
  for _ = 1, CUSTOMERS do shop:invite() end
  local steps = math.max(1, math.floor(130000 * scale + 0.5))
  for _ = 1, steps do shop:step() end
  -- Closing time: nobody else is invited, and all who are on their way finish.
  shop.open = false
  while shop:step() do steps = steps + 1 end

  expect("customers who left", shop.left, shop.entered)
  expect("integral of the number inside", shop.area, shop.stays)
  expect("events handled", steps, shop.queue.scheduled)
  local served = 0
  for _, station in ipairs(shop.stations) do
    expect("idle servers at closing time", station.idle, SERVERS)
    served = served + station.served
  end
  expect("services", served, shop.served)
  -- Each customer takes one event to enter, and two for each visit.
  expect("events by kind", shop.queue.scheduled, shop.entered + 2 * served)
end
