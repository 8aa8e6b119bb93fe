-- Vector arithmetic with operators: points and velocities are small tables with
-- a metatable, and each +, - and * makes a new one. Two programs: a stellar
-- system that runs forth and back in time, and a ray tracer's spheres. Churns
-- three-slot tables that die at once; next to nothing stays alive.

local sqrt = math.sqrt

local function expect_near(what, got, expected, tolerance)
  if not (math.abs(got - expected) <= tolerance) then
    error(("vectors: %s: expected %.12g, got %.12g"):format(what, expected, got))
  end
end

local Vector = {}
Vector.__index = Vector

local function vector(x, y, z) return setmetatable({ x = x, y = y, z = z }, Vector) end

function Vector.__add(a, b) return vector(a.x + b.x, a.y + b.y, a.z + b.z) end

function Vector.__sub(a, b) return vector(a.x - b.x, a.y - b.y, a.z - b.z) end

function Vector.__unm(a) return vector(-a.x, -a.y, -a.z) end

function Vector.__mul(a, factor) return vector(a.x * factor, a.y * factor, a.z * factor) end

function Vector:dot(b) return self.x * b.x + self.y * b.y + self.z * b.z end

function Vector:length() return sqrt(self:dot(self)) end

function Vector:unit() return self * (1 / self:length()) end

-- Bodies under gravity. The leapfrog method is symmetric in time: with all
-- velocities turned round, the bodies go back to where they came from.

local function make_system()
  local bodies = { { mass = 1000, position = vector(0, 0, 0), velocity = vector(0, 0, 0) } }
  for i = 1, 6 do
    local distance = 10 + 6 * i
    local speed = sqrt(1000 / distance)
    local angle = i * 2.4
    bodies[#bodies + 1] = {
      mass = 0.1 * i,
      position = vector(distance * math.cos(angle), distance * math.sin(angle), 0.2 * i),
      velocity = vector(-speed * math.sin(angle), speed * math.cos(angle), 0.1),
    }
  end
  return bodies
end

local function accelerations(bodies)
  local result = {}
  for i = 1, #bodies do result[i] = vector(0, 0, 0) end
  for i = 1, #bodies do
    for j = i + 1, #bodies do
      local apart = bodies[j].position - bodies[i].position
      local pull = apart * (1 / apart:length() ^ 3)
      result[i] = result[i] + pull * bodies[j].mass
      result[j] = result[j] - pull * bodies[i].mass
    end
  end
  return result
end

local function advance(bodies, steps, dt)
  local pulls = accelerations(bodies)
  for _ = 1, steps do
    for i, body in ipairs(bodies) do
      body.velocity = body.velocity + pulls[i] * (dt / 2)
      body.position = body.position + body.velocity * dt
    end
    pulls = accelerations(bodies)
    for i, body in ipairs(bodies) do body.velocity = body.velocity + pulls[i] * (dt / 2) end
  end
end

local function momentum(bodies)
  local sum = vector(0, 0, 0)
  for _, body in ipairs(bodies) do sum = sum + body.velocity * body.mass end
  return sum
end

local function there_and_back(steps)
  local bodies, start = make_system(), make_system()
  advance(bodies, steps, 0.01)
  expect_near("momentum", (momentum(bodies) - momentum(start)):length(), 0, 1e-9)
  for i = 2, #bodies do -- all orbits are nearly circles
    local radius = (start[i].position - start[1].position):length()
    local now = (bodies[i].position - bodies[1].position):length()
    expect_near("orbit of body " .. i, now, radius, radius / 50)
    local travelled = (bodies[i].position - start[i].position):length()
    if travelled < 1 then error("vectors: expected body " .. i .. " to move, got a way of " .. travelled) end
  end
  for _, body in ipairs(bodies) do body.velocity = -body.velocity end
  advance(bodies, steps, 0.01)
  for i, body in ipairs(bodies) do
    expect_near("way back of body " .. i, (body.position - start[i].position):length(), 0, 1e-6)
  end
end

-- Parallel rays fall on a sphere and are reflected. Each reflected ray obeys the
-- law of reflection, and the share of rays that hit is the sphere's disc.

local function hit_distance(origin, direction, center, radius)
  local to_center = center - origin
  local along = to_center:dot(direction)
  local missed_by = to_center - direction * along
  local inside = radius * radius - missed_by:dot(missed_by)
  if inside <= 0 then return nil end
  return along - sqrt(inside)
end

local function shine_on_sphere(rays_per_side, tilt)
  local center, radius = vector(3, -2, 5), 2
  local direction = vector(0.1 * tilt, 0.2, 1):unit()
  -- Two directions across the ray.
  local across = vector(direction.z, 0, -direction.x):unit()
  local up = vector(direction.y * across.z - direction.z * across.y,
    direction.z * across.x - direction.x * across.z, direction.x * across.y - direction.y * across.x)
  local hits = 0
  for i = 1, rays_per_side do
    for j = 1, rays_per_side do
      local u, v = 2 * (i - 0.5) / rays_per_side - 1, 2 * (j - 0.5) / rays_per_side - 1
      local origin = center - direction * 10 + across * (u * radius) + up * (v * radius)
      local distance = hit_distance(origin, direction, center, radius)
      if distance then
        hits = hits + 1
        local to_surface = origin + direction * distance - center
        expect_near("distance of the hit from the center", to_surface:length(), radius, 1e-9)
        local normal = to_surface:unit()
        local reflected = direction - normal * (2 * direction:dot(normal))
        expect_near("angle of reflection", reflected:dot(normal), -direction:dot(normal), 1e-9)
        expect_near("length of a reflected ray", reflected:length(), 1, 1e-9)
      end
    end
  end
  expect_near("share of rays that hit", hits / rays_per_side ^ 2, math.pi / 4, 0.02)
end

return function(scale)
  local function times(n) return math.max(1, math.floor(n * scale + 0.5)) end
  for _ = 1, times(18) do there_and_back(200) end
  for i = 1, times(55) do shine_on_sphere(40, i % 5) end
end
