"""A ray tracer: spheres over a chequered floor, with lights, shadows and mirrors, are
drawn from the front and as their mirror image. Churns vectors, rays and hits, which are
small objects with slots, and floats; the scene and the last pictures stay alive.
"""

import math
from collections import deque

WIDTH, HEIGHT = 40, 30
MAX_DEPTH = 3
KEPT_PICTURES = 12


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x = x
        self.y = y
        self.z = z

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other):
        return Vector(self.x - other.x, self.y - other.y, self.z - other.z)

    def __mul__(self, factor):
        return Vector(self.x * factor, self.y * factor, self.z * factor)

    def dot(self, other):
        return self.x * other.x + self.y * other.y + self.z * other.z

    def unit(self):
        return self * (1.0 / math.sqrt(self.dot(self)))

    def reflected(self, normal):
        return self - normal * (2.0 * self.dot(normal))

    def mirrored(self):
        return Vector(-self.x, self.y, self.z)


class Ray:
    __slots__ = ("origin", "direction")

    def __init__(self, origin, direction):
        self.origin = origin
        self.direction = direction

    def at(self, distance):
        return self.origin + self.direction * distance


class Material:
    def __init__(self, colour, mirror=0.0, shine=0.0):
        self.colour = colour
        self.mirror = mirror
        self.shine = shine


class Sphere:
    def __init__(self, centre, radius, material):
        self.centre = centre
        self.radius = radius
        self.material = material

    def distance(self, ray):
        to_centre = self.centre - ray.origin
        along = to_centre.dot(ray.direction)
        square = along * along - to_centre.dot(to_centre) + self.radius * self.radius
        if square < 0.0:
            return None
        root = math.sqrt(square)
        for distance in (along - root, along + root):
            if distance > 1e-6:
                return distance
        return None

    def normal(self, point):
        return (point - self.centre) * (1.0 / self.radius)

    def material_at(self, point):
        return self.material

    def mirrored(self):
        return Sphere(self.centre.mirrored(), self.radius, self.material)


class Floor:
    """A chequered plane; the middle of a square is at x = 0."""

    def __init__(self, height, even, odd):
        self.height = height
        self.even = even
        self.odd = odd

    def distance(self, ray):
        if ray.direction.y > -1e-9:
            return None
        distance = (self.height - ray.origin.y) / ray.direction.y
        return distance if distance > 1e-6 else None

    def normal(self, point):
        return Vector(0.0, 1.0, 0.0)

    def material_at(self, point):
        number = int(abs(point.x) + 0.5) + math.floor(point.z)
        return self.odd if number % 2 else self.even

    def mirrored(self):
        return self


class Hit:
    __slots__ = ("distance", "thing", "point")

    def __init__(self, distance, thing, point):
        self.distance = distance
        self.thing = thing
        self.point = point


class Scene:
    def __init__(self, things, lights):
        self.things = things
        self.lights = lights  # pairs of a position and a brightness
        self.eye = Vector(0.0, 0.5, -4.0)

    def mirrored(self):
        lights = [(place.mirrored(), brightness) for place, brightness in self.lights]
        return Scene([thing.mirrored() for thing in self.things], lights)

    def nearest(self, ray):
        nearest, found = math.inf, None
        for thing in self.things:
            distance = thing.distance(ray)
            if distance is not None and distance < nearest:
                nearest, found = distance, thing
        return found and Hit(nearest, found, ray.at(nearest))

    def is_lit(self, point, direction, distance):
        ray = Ray(point, direction)
        for thing in self.things:
            blocked = thing.distance(ray)
            if blocked is not None and blocked < distance:
                return False
        return True

    def colour(self, ray, depth=0):
        hit = self.nearest(ray)
        if hit is None:
            return Vector(0.3, 0.5, 0.8) * max(0.0, ray.direction.y)
        normal = hit.thing.normal(hit.point)
        material = hit.thing.material_at(hit.point)
        colour = material.colour * 0.1
        point = hit.point + normal * 1e-4
        mirrored = ray.direction.reflected(normal)
        for place, brightness in self.lights:
            to_light = place - point
            direction = to_light.unit()
            slope = direction.dot(normal)
            if slope <= 0.0:
                continue
            if self.is_lit(point, direction, math.sqrt(to_light.dot(to_light))):
                colour = colour + material.colour * (slope * brightness)
                glare = max(0.0, direction.dot(mirrored))
                glare = glare * glare * glare * glare * material.shine * brightness
                colour = colour + Vector(glare, glare, glare)
        if material.mirror > 0.0 and depth < MAX_DEPTH:
            seen = self.colour(Ray(point, mirrored), depth + 1)
            colour = colour * (1.0 - material.mirror) + seen * material.mirror
        return colour

    def picture(self):
        rows = []
        for row in range(HEIGHT):
            pixels = []
            for column in range(WIDTH):
                x = (2 * column + 1 - WIDTH) / WIDTH
                y = (HEIGHT - 1 - 2 * row) / WIDTH
                colour = self.colour(Ray(self.eye, Vector(x, y, 1.5).unit()))
                channels = (colour.x, colour.y, colour.z)
                pixels.append(tuple(min(255, int(256 * value)) for value in channels))
            rows.append(pixels)
        return rows


def make_scene(step):
    """The spheres have moved a little with every step, and return after twelve."""
    floor = Floor(
        -1.0,
        Material(Vector(0.9, 0.9, 0.9), mirror=0.1),
        Material(Vector(0.1, 0.1, 0.1), mirror=0.3),
    )
    shift = abs(step % 12 - 6) / 8
    silver = Material(Vector(0.8, 0.8, 0.8), mirror=0.7, shine=0.5)
    red = Material(Vector(0.9, 0.2, 0.1), mirror=0.2, shine=0.9)
    green = Material(Vector(0.1, 0.7, 0.3), shine=0.2)
    spheres = [
        Sphere(Vector(shift - 0.5, 0.0, 1.0), 1.0, silver),
        Sphere(Vector(1.5, shift - 0.6, 0.5), 0.5, red),
        Sphere(Vector(-1.75, -0.5, 0.5 + shift), 0.5, green),
        Sphere(Vector(0.25, -0.75, -1.0 - shift), 0.25, red),
    ]
    lights = [(Vector(3.0, 4.0, -3.0), 0.7), (Vector(-5.0, 3.0, -1.0), 0.4)]
    return Scene([floor, *spheres], lights)


def check_known_rays():
    ball = Sphere(Vector(0.0, 0.0, 5.0), 2.0, Material(Vector(1.0, 1.0, 1.0)))
    ahead = Ray(Vector(0.0, 0.0, 0.0), Vector(0.0, 0.0, 1.0))
    check("distance to the ball", ball.distance(ahead), 3.0)
    inside = Ray(Vector(0.0, 0.0, 5.0), Vector(1.0, 0.0, 0.0))
    check("distance from inside", ball.distance(inside), 2.0)
    up = Ray(Vector(0.0, 0.0, 0.0), Vector(0.0, 1.0, 0.0))
    check("distance when missed", ball.distance(up), None)
    hit = Scene([ball], []).nearest(ahead)
    check("point of the hit", hit.point.z, 3.0)
    check("normal of the hit", ball.normal(hit.point).z, -1.0)


def run(scale):
    check_known_rays()
    pictures = deque(maxlen=KEPT_PICTURES)
    for step in range(max(1, round(17 * scale))):
        scene = make_scene(step)
        picture = scene.picture()
        mirrored = scene.mirrored().picture()
        flipped = [row[::-1] for row in mirrored]
        check("the mirrored scene's picture, flipped", flipped == picture, True)
        check("the scene is not its mirror image", mirrored == picture, False)
        channels = {value for row in picture for pixel in row for value in pixel}
        check(
            "a dark and a bright pixel",
            min(channels) < 30 and max(channels) > 200,
            True,
        )
        pictures.append((step, picture))
    for step, picture in pictures:
        colour = make_scene(step).colour(
            Ray(Vector(0.0, 0.5, -4.0), Vector(1 / WIDTH, -1 / WIDTH, 1.5).unit())
        )
        pixel = picture[HEIGHT // 2][WIDTH // 2]
        expected = [
            min(255, int(256 * value)) for value in (colour.x, colour.y, colour.z)
        ]
        check("a pixel of a kept picture", list(pixel), expected)
