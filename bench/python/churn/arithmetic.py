"""Float and int arithmetic in plain loops: bodies in motion, a fractal by complex
numbers, integers of one, two and many digits. Churns floats, complex numbers and ints,
most of which live for one operation."""

BODIES = [
    ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 39.47841760435743),
    ((4.84, -1.16, -0.10), (0.606, 2.812, -0.025), 0.037693674870389486),
    ((8.34, 4.12, -0.40), (-1.010, 1.825, 0.008), 0.011286326131968767),
    ((12.89, -15.11, -0.22), (1.082, 0.868, -0.010), 0.0017237240570597112),
    ((15.37, -25.91, 0.17), (0.979, 0.594, -0.034), 0.0020336868699246304),
]

ESCAPES = 2326  # of 2 x 1,600 points, after 20 and after 40 steps
FIBONACCI = 517901959200  # the last twelve digits of the 600th
REMAINDERS = 392984908


def advance(bodies, dt):
    for i, (at, speed, mass) in enumerate(bodies):
        for other_at, other_speed, other_mass in bodies[i + 1 :]:
            dx, dy, dz = (at[k] - other_at[k] for k in range(3))
            pull = dt / (dx * dx + dy * dy + dz * dz) ** 1.5
            for k, d in enumerate((dx, dy, dz)):
                speed[k] -= d * other_mass * pull
                other_speed[k] += d * mass * pull
    for at, speed, _ in bodies:
        for k in range(3):
            at[k] += dt * speed[k]


def momentum(bodies):
    return [sum(mass * speed[k] for _, speed, mass in bodies) for k in range(3)]


def escapes(limit):
    """How many points of a grid leave the Mandelbrot set within `limit` steps."""
    left = 0
    for row in range(40):
        for column in range(40):
            c = complex(column / 16.0 - 2.0, row / 16.0 - 1.25)
            z = 0j
            for _ in range(limit):
                z = z * z + c
                if abs(z) > 2.0:
                    left += 1
                    break
    return left


def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def run(scale):
    bodies = [(list(at), list(speed), mass) for at, speed, mass in BODIES]
    before = momentum(bodies)
    for _ in range(max(1, round(75 * scale))):
        for _ in range(110):
            advance(bodies, 0.001)
        if any(abs(a - b) > 1e-9 for a, b in zip(momentum(bodies), before)):
            raise AssertionError("momentum is not preserved")
        if escapes(20) + escapes(40) != ESCAPES:
            raise AssertionError("the set has another area")
        if fibonacci(600) % 10**12 != FIBONACCI:
            raise AssertionError("a Fibonacci number is wrong")
        sum = 0
        for i in range(12_000):
            sum += i * 1_000_003 % 65_521
        if sum != REMAINDERS:
            raise AssertionError("the remainders do not add up")
