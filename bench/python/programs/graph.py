"""Algorithms on graphs that are dicts of dicts: made-up road maps are searched for
shortest paths, connected parts and spanning trees, and tasks are put into an order.
Churns dicts, sets, the heap's tuples and lists of paths; the last maps stay alive.
"""

import heapq
import random
from collections import defaultdict, deque

SIDE = 22  # a map has SIDE x SIDE places, of which some are missing
KEPT_MAPS = 12


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def make_map(rng):
    """Places are pairs of coordinates; roads to neighbours have a length."""
    places = [(x, y) for x in range(SIDE) for y in range(SIDE) if rng.random() < 0.85]
    graph = {place: {} for place in places}
    for x, y in places:
        for neighbour in ((x + 1, y), (x, y + 1), (x + 1, y + 1)):
            if neighbour in graph and rng.random() < 0.6:
                length = rng.randrange(1, 100)
                graph[x, y][neighbour] = length
                graph[neighbour][x, y] = length
    return graph


def edges(graph):
    for place, neighbours in graph.items():
        for neighbour, length in neighbours.items():
            if place < neighbour:
                yield length, place, neighbour


def shortest_paths(graph, source):
    """Dijkstra's algorithm: the distances, and the places before."""
    distances, before, done = {source: 0}, {}, set()
    heap = [(0, source)]
    while heap:
        distance, place = heapq.heappop(heap)
        if place in done:
            continue
        done.add(place)
        for neighbour, length in graph[place].items():
            total = distance + length
            if neighbour not in distances or total < distances[neighbour]:
                distances[neighbour] = total
                before[neighbour] = place
                heapq.heappush(heap, (total, neighbour))
    return distances, before


def path_to(place, before):
    path = [place]
    while path[-1] in before:
        path.append(before[path[-1]])
    return path[::-1]


def components(graph):
    """The connected parts, by breadth-first search."""
    parts, seen = [], set()
    for start in graph:
        if start in seen:
            continue
        part, queue = {start}, deque([start])
        while queue:
            for neighbour in graph[queue.popleft()]:
                if neighbour not in part:
                    part.add(neighbour)
                    queue.append(neighbour)
        seen |= part
        parts.append(part)
    return parts


def spanning_forest(graph):
    """Kruskal's algorithm: the edges, and the parts they join."""
    leader = {place: place for place in graph}

    def find(place):
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    chosen = []
    for length, one, other in sorted(edges(graph)):
        first, second = find(one), find(other)
        if first != second:
            leader[first] = second
            chosen.append((length, one, other))
    parts = defaultdict(set)
    for place in graph:
        parts[find(place)].add(place)
    return chosen, list(parts.values())


def spanning_tree_length(graph, start):
    """Prim's algorithm, for the part of the start."""
    total, inside, heap = 0, set(), [(0, start)]
    while heap:
        length, place = heapq.heappop(heap)
        if place not in inside:
            inside.add(place)
            total += length
            for neighbour, distance in graph[place].items():
                if neighbour not in inside:
                    heapq.heappush(heap, (distance, neighbour))
    return total


def topological_order(needs):
    missing = {task: len(needed) for task, needed in needs.items()}
    needed_by = defaultdict(list)
    for task, needed in needs.items():
        for other in needed:
            needed_by[other].append(task)
    ready = deque(task for task, number in missing.items() if number == 0)
    order = []
    while ready:
        task = ready.popleft()
        order.append(task)
        for other in needed_by[task]:
            missing[other] -= 1
            if missing[other] == 0:
                ready.append(other)
    return order


def check_paths(graph, source, target):
    distances, before = shortest_paths(graph, source)
    for place, distance in distances.items():
        for neighbour, length in graph[place].items():
            if distances[neighbour] > distance + length:
                raise AssertionError(f"there is a shorter path to {neighbour}")
    if target in distances:
        path = path_to(target, before)
        check("start of the path", path[0], source)
        length = sum(graph[one][other] for one, other in zip(path, path[1:]))
        check("length of the path", length, distances[target])
        back, _ = shortest_paths(graph, target)
        check("distance back", back[source], distances[target])
    return distances.keys()


def check_order(rng):
    tasks = [f"task {number}" for number in range(200)]
    needs = {
        task: {tasks[rng.randrange(number)] for _ in range(min(number, 3))}
        for number, task in enumerate(tasks)
    }
    order = topological_order(needs)
    check("tasks in order", len(order), len(tasks))
    done = set()
    for task in order:
        check("needs of a task", needs[task] <= done, True)
        done.add(task)
    needs[tasks[0]] = {tasks[-1]}
    check("tasks that can be done", tasks[0] in topological_order(needs), False)


def run(scale):
    rng = random.Random(1736)
    maps = deque(maxlen=KEPT_MAPS)
    for _ in range(max(1, round(145 * scale))):
        graph = make_map(rng)
        parts = components(graph)
        check("places in the parts", sum(map(len, parts)), len(graph))
        chosen, joined = spanning_forest(graph)
        check("edges of the forest", len(chosen), len(graph) - len(parts))
        check("parts", sorted(map(sorted, joined)) == sorted(map(sorted, parts)), True)
        prim = sum(spanning_tree_length(graph, min(part)) for part in parts)
        check("length of the forest", prim, sum(length for length, _, _ in chosen))

        places = list(graph)
        for _ in range(2):
            source, target = rng.choice(places), rng.choice(places)
            reached = check_paths(graph, source, target)
            part = next(part for part in parts if source in part)
            check("places reached", reached == part, True)
        check_order(rng)
        maps.append((graph, parts))
    for graph, parts in maps:
        check("parts of a kept map", components(graph) == parts, True)
