"""A planner in the manner of STRIPS: states are sets of facts, actions have conditions
and effects, and A* finds the shortest plans in worlds of blocks that are stacked on
each other. Churns frozensets, tuples, the heap's entries and the dicts of a search; the
actions and the last plans stay alive.
"""

import heapq
import random
from collections import defaultdict, deque
from itertools import count

KEPT_PLANS = 30


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class Action:
    def __init__(self, name, needs, removes, adds):
        self.name = name
        self.needs = frozenset(needs)
        self.removes = frozenset(removes)
        self.adds = frozenset(adds)

    def apply(self, state):
        return (state - self.removes) | self.adds


class World:
    """Blocks, of which each is on the table or on another block."""

    def __init__(self, blocks):
        self.blocks = blocks
        self.actions = list(self.make_actions())
        # Every action moves a block away from where it is.
        self.by_place = defaultdict(list)
        for action in self.actions:
            block, source, _ = action.name
            self.by_place["on", block, source].append(action)

    def make_actions(self):
        for block in self.blocks:
            places = [place for place in self.blocks if place != block] + ["table"]
            for source in places:
                for target in places:
                    if source != target:
                        yield self.make_action(block, source, target)

    def make_action(self, block, source, target):
        needs = [("on", block, source), ("clear", block)]
        removes, adds = [("on", block, source)], [("on", block, target)]
        if target != "table":
            needs.append(("clear", target))
            removes.append(("clear", target))
        if source != "table":
            adds.append(("clear", source))
        return Action((block, source, target), needs, removes, adds)

    def state(self, piles):
        facts = set()
        for pile in piles:
            below = "table"
            for block in pile:
                facts.add(("on", block, below))
                below = block
            facts.add(("clear", below))
        return frozenset(facts)

    def random_state(self, rng):
        piles = []
        for block in rng.sample(self.blocks, len(self.blocks)):
            number = rng.randrange(len(piles) + 1)
            if number == len(piles):
                piles.append([block])
            else:
                piles[number].append(block)
        return self.state(piles)

    def moves(self, state):
        """The actions that can be done now, in an order that is always the same."""
        for block in self.blocks:
            if ("clear", block) not in state:
                continue
            for place in self.blocks + ["table"]:
                if ("on", block, place) in state:
                    for action in self.by_place["on", block, place]:
                        if action.needs <= state:
                            yield action


def distances(world, start):
    """How many moves it takes to every state, by breadth-first search."""
    found = {start: 0}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for action in world.moves(state):
            following = action.apply(state)
            if following not in found:
                found[following] = found[state] + 1
                queue.append(following)
    return found


def find_plan(world, start, goal):
    """A shortest list of actions from start to a state with all facts of the goal."""
    places = frozenset(fact for fact in goal if fact[0] == "on")
    number = count()
    best = {start: 0}
    came_from = {}
    closed = set()
    frontier = [(len(places - start), next(number), start)]
    while frontier:
        _, _, state = heapq.heappop(frontier)
        if state in closed:
            continue
        if goal <= state:
            break
        closed.add(state)
        cost = best[state] + 1
        for action in world.moves(state):
            following = action.apply(state)
            if following not in best or cost < best[following]:
                best[following] = cost
                came_from[following] = (state, action)
                # Each move puts at most one block into its place.
                estimate = cost + len(places - following)
                heapq.heappush(frontier, (estimate, next(number), following))
    else:
        return None
    plan = []
    while state != start:
        state, action = came_from[state]
        plan.append(action)
    plan.reverse()
    return plan


def check_plan(plan, start, goal):
    state = start
    for action in plan:
        check("conditions of an action", action.needs <= state, True)
        state = action.apply(state)
    check("the end of the plan", state == goal, True)


def check_small_world(rng):
    world = World(["a", "b", "c", "d"])
    tower = world.state(["abcd"])
    lengths = distances(world, tower)
    check("states of four blocks", len(lengths), 73)
    reversed_tower = world.state(["dcba"])
    check("moves to turn the tower", len(find_plan(world, tower, reversed_tower)), 4)
    for _ in range(10):
        goal = world.random_state(rng)
        plan = find_plan(world, tower, goal)
        check_plan(plan, tower, goal)
        check("length of a plan", len(plan), lengths[goal])
    impossible = frozenset([("on", "a", "b"), ("on", "b", "a")])
    check("plan for the impossible", find_plan(world, tower, impossible), None)


def run(scale):
    rng = random.Random(1971)
    world = World(["a", "b", "c", "d", "e", "f", "g"])
    plans = deque(maxlen=KEPT_PLANS)
    for _ in range(max(1, round(100 * scale))):
        check_small_world(rng)
        start, goal = world.random_state(rng), world.random_state(rng)
        plan = find_plan(world, start, goal)
        check_plan(plan, start, goal)
        # Every move can be undone, so the way back is as long.
        back = find_plan(world, goal, start)
        check_plan(back, goal, start)
        check("length of the way back", len(back), len(plan))
        plans.append((start, plan, goal))
    for start, plan, goal in plans:
        check_plan(plan, start, goal)
