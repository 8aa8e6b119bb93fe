-- The session store of a long-running server: many sessions with a token, a
-- profile and a cart are alive; requests look them up by token and change
-- them, idle ones expire, new ones come. Churns records, token strings and
-- small arrays over a large live heap, with life spans from short to very long.

local SESSIONS = 50000
local IDLE_LIMIT = 40 -- ticks

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("sessions: %s: expected %s, got %s"):format(what, expected, got))
  end
end

local Store = {}
Store.__index = Store

function Store.new(random)
  return setmetatable({ random = random, by_token = {}, list = {}, count = 0, created = 0,
    expired = 0, added = 0, dropped = 0 }, Store)
end

function Store:open(now)
  local random = self.random
  self.created = self.created + 1
  local session = {
    token = ("%08x-%08x-%d"):format(random(2147483646), random(2147483646), self.created),
    last_seen = now,
    profile = { name = "user" .. random(1000000), language = random(2) == 1 and "en" or "de", visits = 0 },
    cart = {},
    place = #self.list + 1,
  }
  self.by_token[session.token] = session
  self.list[session.place] = session
  self.count = self.count + 1
  return session
end

-- Removes a session; the last one of the list takes its place.
function Store:close(session)
  local last = table.remove(self.list)
  if last ~= session then
    last.place = session.place
    self.list[last.place] = last
  end
  self.by_token[session.token] = nil
  self.count = self.count - 1
  for _, line in ipairs(session.cart) do self.dropped = self.dropped + line.quantity end
end

function Store:request(token, now)
  local session = self.by_token[token]
  session.last_seen = now
  session.profile.visits = session.profile.visits + 1
  local random, cart = self.random, session.cart
  local action = random(3)
  if action == 1 then
    local quantity = random(5)
    cart[#cart + 1] = { article = "A" .. random(5000), quantity = quantity }
    self.added = self.added + quantity
  elseif action == 2 and #cart > 3 then -- check out
    for _, line in ipairs(cart) do self.dropped = self.dropped + line.quantity end
    session.cart = {}
  end
end

function Store:expire(now)
  for i = #self.list, 1, -1 do
    local session = self.list[i]
    if now - session.last_seen > IDLE_LIMIT then
      self:close(session)
      self.expired = self.expired + 1
    end
  end
end

return function(scale)
  local random = lcg(8080)
  local store = Store.new(random)
  -- A quick run has fewer sessions, or opening them would be all there is.
  local wanted = math.floor(SESSIONS * math.min(1, 0.25 + scale))
  for _ = 1, wanted do
    local session = store:open(-random(IDLE_LIMIT))
    for _ = 1, random(4) - 1 do store:request(session.token, session.last_seen) end
  end

  local requests = 0
  local ticks = math.max(1, math.floor(40 * scale + 0.5))
  for now = 1, ticks do
    for _ = 1, 2500 do
      requests = requests + 1
      -- The newest are the most active.
      local count = #store.list
      local place = random(2) == 1 and random(count) or count - random(math.floor(count / 10)) + 1
      store:request(store.list[place].token, now)
    end
    if now % 4 == 0 then store:expire(now) end
    while store.count < wanted do store:open(now) end
  end

  expect("sessions alive", store.count, store.created - store.expired)
  expect("length of the list", #store.list, store.count)
  local by_token, in_carts = 0, 0
  for token, session in pairs(store.by_token) do
    by_token = by_token + 1
    expect("token of a session", session.token, token)
    expect("place of a session", store.list[session.place].token, token)
    for _, line in ipairs(session.cart) do in_carts = in_carts + line.quantity end
  end
  expect("sessions by token", by_token, store.count)
  expect("articles in carts", in_carts, store.added - store.dropped)
end
