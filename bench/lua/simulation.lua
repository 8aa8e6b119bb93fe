-- An object-oriented simulation: rabbits eat grass, foxes eat rabbits, both
-- age, breed and die, and every death throws up a few short-lived particles.
-- Classes are metatables with inheritance. Churns objects of several classes
-- with unequal life spans. All energy is counted in whole units, so that what
-- came in must equal what is left and what was spent, exactly.

local SIZE = 60 -- the world is a torus of SIZE x SIZE cells
local GRASS_LIMIT, GRASS_PER_STEP = 60, 8

local function lcg(seed)
  return function(n) -- an integer in 1..n
    seed = seed * 16807 % 2147483647
    return seed % n + 1
  end
end

local function expect(what, got, expected)
  if got ~= expected then
    error(("simulation: %s: expected %s, got %s"):format(what, expected, got))
  end
end

local function class(parent)
  local new_class = {}
  new_class.__index = new_class
  new_class.super = parent
  function new_class.new(...)
    local object = setmetatable({}, new_class)
    object:init(...)
    return object
  end
  return setmetatable(new_class, { __index = parent })
end

local Entity = class()

function Entity:init(world, x, y)
  self.world, self.x, self.y = world, x, y
  self.alive = true
end

function Entity:step() error("an entity must say what it does in a step") end

function Entity:die() self.alive = false end

-- Particles drift for a few steps and vanish.

local Particle = class(Entity)

function Particle:init(world, x, y, dx, dy)
  Entity.init(self, world, x, y)
  self.dx, self.dy, self.left = dx, dy, 3
end

function Particle:step()
  self.x, self.y = self.x + self.dx, self.y + self.dy
  self.left = self.left - 1
  if self.left == 0 then self:die() end
end

-- Animals hold energy, spend some in every step, and divide it when they breed.

local Animal = class(Entity)

function Animal:init(world, x, y, energy)
  Entity.init(self, world, x, y)
  self.energy, self.age = energy, 0
  world.born = world.born + 1
end

function Animal:die()
  Entity.die(self)
  local world = self.world
  world.spent = world.spent + self.energy
  self.energy = 0
  world.died = world.died + 1
  for i = -1, 1 do world:add_particle(Particle.new(world, self.x, self.y, i * 0.25, 0.5)) end
end

function Animal:move()
  local world = self.world
  self.x = (self.x + world.random(3) - 2) % SIZE
  self.y = (self.y + world.random(3) - 2) % SIZE
end

function Animal:step()
  local world = self.world
  self.age = self.age + 1
  if self.energy <= self.cost or self.age > self.life_span then
    self:die()
    return
  end
  self.energy = self.energy - self.cost
  world.spent = world.spent + self.cost
  self:move()
  self:eat(world:cell(self.x, self.y))
  if self.energy >= self.breeding_energy then
    local share = math.floor(self.energy / 2)
    self.energy = self.energy - share
    world:add_animal(self.kind.new(world, self.x, self.y, share))
  end
end

local Rabbit = class(Animal)
Rabbit.kind, Rabbit.cost, Rabbit.life_span, Rabbit.breeding_energy = Rabbit, 5, 30, 40

function Rabbit:eat(cell)
  local bite = math.min(cell.grass, 20)
  cell.grass = cell.grass - bite
  self.energy = self.energy + bite
  cell.rabbit = self
end

local Fox = class(Animal)
Fox.kind, Fox.cost, Fox.life_span, Fox.breeding_energy = Fox, 10, 40, 150

function Fox:eat(cell)
  local prey = cell.rabbit
  if prey and prey.alive and prey.x == self.x and prey.y == self.y then
    self.energy = self.energy + prey.energy
    prey.energy = 0
    prey:die()
    cell.rabbit = nil
  end
end

local World = class()

function World:init(random)
  self.random = random
  self.animals, self.particles, self.cells = {}, {}, {}
  self.born, self.died, self.received, self.spent = 0, 0, 0, 0
  for i = 1, SIZE * SIZE do self.cells[i] = { grass = 0, rabbit = nil } end
end

function World:cell(x, y) return self.cells[y * SIZE + x + 1] end

function World:add_animal(animal) self.animals[#self.animals + 1] = animal end

function World:add_particle(particle) self.particles[#self.particles + 1] = particle end

-- An animal that comes from outside the world brings its energy along.
function World:immigrate(kind, energy)
  local random = self.random
  self.received = self.received + energy
  self:add_animal(kind.new(self, random(SIZE) - 1, random(SIZE) - 1, energy))
end

function World:grow()
  for _, cell in ipairs(self.cells) do
    local growth = math.min(GRASS_PER_STEP, GRASS_LIMIT - cell.grass)
    cell.grass = cell.grass + growth
    self.received = self.received + growth
  end
end

local function step_all(entities)
  for i = 1, #entities do
    if entities[i].alive then entities[i]:step() end
  end
end

local function survivors(entities)
  local alive = {}
  for _, entity in ipairs(entities) do
    if entity.alive then alive[#alive + 1] = entity end
  end
  return alive
end

function World:step()
  self:grow()
  step_all(self.animals)
  step_all(self.particles)
  self.animals = survivors(self.animals)
  self.particles = survivors(self.particles)
  for _ = 1, 5 do
    self:immigrate(Rabbit, 20)
    self:immigrate(Fox, 60)
  end
end

function World:energy()
  local sum = 0
  for _, cell in ipairs(self.cells) do sum = sum + cell.grass end
  for _, animal in ipairs(self.animals) do sum = sum + animal.energy end
  return sum
end

return function(scale)
  local world = World.new(lcg(4711))
  for _ = 1, 8000 do world:immigrate(Rabbit, 30) end
  for _ = 1, 300 do world:immigrate(Fox, 80) end
  for _ = 1, math.max(1, math.floor(60 * scale + 0.5)) do
    world:step()
    expect("animals", #world.animals, world.born - world.died)
    expect("energy", world:energy(), world.received - world.spent)
  end
end
