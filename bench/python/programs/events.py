"""Discrete-event simulation: parcels travel through a network of depots, wait at its
belts by their priority, and are replaced by others when they arrive. The events are in
a heap. Churns parcels with their histories, entries of heaps and bound methods. Times
are whole numbers, so that Little's law (the integral of the number of parcels is the
sum of their times) is exact.
"""

import heapq
import random
from collections import deque

DEPOTS = 40
PARCELS = 4000  # at home or on their way, at all times


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class Simulator:
    def __init__(self):
        self.now = 0
        self.scheduled = 0
        self.events = []

    def after(self, delay, action, *arguments):
        # The number decides between events at the same time.
        self.scheduled += 1
        event = (self.now + delay, self.scheduled, action, arguments)
        heapq.heappush(self.events, event)

    def step(self):
        time, _, action, arguments = heapq.heappop(self.events)
        if time < self.now:
            raise AssertionError("time ran backwards")
        self.now = time
        action(*arguments)


class Parcel:
    def __init__(self, number, source, target, priority):
        self.number = number
        self.source = source
        self.target = target
        self.priority = priority
        self.sent = None
        self.history = []


class Belt:
    """Moves one parcel after the other from a depot to the next."""

    def __init__(self, network, depot, duration):
        self.network = network
        self.depot = depot
        self.duration = duration
        self.waiting = []
        self.busy = False
        self.moved = 0

    def put(self, parcel):
        entry = (parcel.priority, self.network.simulator.now, parcel.number, parcel)
        heapq.heappush(self.waiting, entry)
        if not self.busy:
            self.start()

    def start(self):
        self.busy = True
        parcel = heapq.heappop(self.waiting)[-1]
        self.network.simulator.after(self.duration, self.finish, parcel)

    def finish(self, parcel):
        self.busy = False
        self.moved += 1
        if self.waiting:
            self.start()
        self.network.arrive(parcel, self.depot)


class Network:
    def __init__(self, rng):
        self.rng = rng
        self.simulator = Simulator()
        self.open = True
        self.made = 0
        self.inside = 0
        self.last_change = 0
        self.area = 0
        self.delivered = 0
        self.time_inside = 0
        self.hops = 0
        self.belts = [{} for _ in range(DEPOTS)]
        for depot in range(DEPOTS):
            for other in {(depot + 1) % DEPOTS, rng.randrange(DEPOTS)} - {depot}:
                self.connect(depot, other)
                self.connect(other, depot)
        self.routes = [self.make_routes(depot) for depot in range(DEPOTS)]

    def connect(self, depot, other):
        duration = 4 + self.rng.randrange(8)
        self.belts[depot][other] = Belt(self, other, duration)

    def make_routes(self, target):
        """By depot, the next one and the number of hops to the target."""
        routes = {target: (None, 0)}
        queue = deque([target])
        while queue:
            depot = queue.popleft()
            for other in sorted(self.belts[depot]):
                if other not in routes:
                    routes[other] = (depot, routes[depot][1] + 1)
                    queue.append(other)
        return routes

    def count(self, change):
        now = self.simulator.now
        self.area += self.inside * (now - self.last_change)
        self.last_change = now
        self.inside += change

    def invite(self):
        rng = self.rng
        source, target = rng.randrange(DEPOTS), rng.randrange(DEPOTS)
        parcel = Parcel(self.made, source, target, rng.randrange(3))
        self.made += 1
        self.simulator.after(1 + rng.randrange(3000), self.send, parcel)

    def send(self, parcel):
        parcel.sent = self.simulator.now
        self.count(+1)
        self.arrive(parcel, parcel.source)

    def arrive(self, parcel, depot):
        parcel.history.append((self.simulator.now, depot))
        if depot == parcel.target:
            self.deliver(parcel)
        else:
            following, _ = self.routes[parcel.target][depot]
            self.belts[depot][following].put(parcel)

    def deliver(self, parcel):
        self.count(-1)
        self.delivered += 1
        self.time_inside += self.simulator.now - parcel.sent
        self.check_history(parcel)
        if self.open:
            self.invite()

    def check_history(self, parcel):
        hops = len(parcel.history) - 1
        _, expected = self.routes[parcel.target][parcel.source]
        check("hops", hops, expected)
        self.hops += hops
        for (start, depot), (end, other) in zip(parcel.history, parcel.history[1:]):
            if end - start < self.belts[depot][other].duration:
                raise AssertionError("a parcel was faster than the belt")


def run(scale):
    network = Network(random.Random(2718))
    simulator = network.simulator
    for _ in range(PARCELS):
        network.invite()
    steps = max(1, round(240000 * scale))
    for _ in range(steps):
        simulator.step()
    # No parcels are made any more, and all that are on their way arrive.
    network.open = False
    while simulator.events:
        simulator.step()
        steps += 1

    check("parcels delivered", network.delivered, network.made)
    check("parcels inside", network.inside, 0)
    check("integral of the number inside", network.area, network.time_inside)
    check("events", steps, simulator.scheduled)
    belts = [belt for others in network.belts for belt in others.values()]
    check("moves of the belts", sum(belt.moved for belt in belts), network.hops)
    # Each parcel takes one event to be sent, and one for each hop.
    check("events by kind", steps, network.made + network.hops)
