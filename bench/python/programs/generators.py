"""Pipelines of generators: lines from weather stations are parsed, filtered, merged,
batched and summed up lazily, one stage a generator, and trees are walked by recursive
generators. Churns generator frames, small tuples, dicts and short strings; the totals
of the last days and a few trees stay alive.
"""

import heapq
import random
from collections import deque, namedtuple
from itertools import groupby, islice, zip_longest

STATIONS = ["harbour", "airport", "old town", "hill", "bridge"]
LINES_PER_STATION = 700
KEPT_DAYS = 40

Reading = namedtuple("Reading", "time station tenths")


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


# Sources and stages. The temperatures are whole tenths of a degree.


def station_lines(rng, station, count):
    clock, tenths = 0, 150
    for number in range(count):
        clock += rng.randrange(1, 60)
        tenths += rng.randrange(-3, 4)
        if number % 25 == 24:
            yield f"# {station}: battery at {rng.randrange(100)} %"
        else:
            yield f"{clock};{station};{tenths / 10:.1f}"


def parse(lines, refused):
    for line in lines:
        fields = line.rstrip().split(";")
        if len(fields) != 3:
            refused.append(line)
            continue
        time, station, degrees = fields
        yield Reading(int(time), station, round(float(degrees) * 10))


def changes(readings):
    """Readings of one station, as pairs of the time and the change."""
    readings = iter(readings)
    previous = next(readings).tenths
    for reading in readings:
        yield reading.time, reading.tenths - previous
        previous = reading.tenths


def tee_into(items, kept):
    for item in items:
        kept.append(item)
        yield item


def batches(items, size):
    items = iter(items)
    while True:
        batch = list(islice(items, size))
        if not batch:
            return
        yield batch


def window_sums(numbers, size):
    window, total = deque(), 0
    for number in numbers:
        window.append(number)
        total += number
        if len(window) > size:
            total -= window.popleft()
        if len(window) == size:
            yield total


def run_lengths(items):
    for value, group in groupby(items):
        yield value, sum(1 for _ in group)


def expanded(pairs):
    for value, count in pairs:
        for _ in range(count):
            yield value


def tally():
    """A coroutine that is sent readings and yields its running totals."""
    totals = {}
    while True:
        reading = yield totals
        count, tenths = totals.get(reading.station, (0, 0))
        totals[reading.station] = (count + 1, tenths + reading.tenths)


# Trees are nested tuples (left, key, right), or None.


def insert(tree, key):
    if tree is None:
        return (None, key, None)
    left, own, right = tree
    if key < own:
        return (insert(left, key), own, right)
    return (left, own, insert(right, key))


def keys_in_order(tree):
    if tree is not None:
        left, key, right = tree
        yield from keys_in_order(left)
        yield key
        yield from keys_in_order(right)


def make_tree(rng, keys):
    keys = list(keys)
    rng.shuffle(keys)
    tree = None
    for key in keys:
        tree = insert(tree, key)
    return tree


def same_keys(one, other):
    pairs = zip_longest(keys_in_order(one), keys_in_order(other))
    return all(a == b for a, b in pairs)


def one_day(rng):
    refused, kept = [], []
    streams = [
        parse(station_lines(rng, station, LINES_PER_STATION), refused)
        for station in STATIONS
    ]
    totals = tally()
    next(totals)
    summary, last_time = {}, 0
    for batch in batches(tee_into(heapq.merge(*streams), kept), 50):
        for reading in batch:
            if reading.time < last_time:
                raise AssertionError("the merged readings are out of order")
            last_time = reading.time
            summary = totals.send(reading)
    totals.close()
    lines = LINES_PER_STATION * len(STATIONS)
    check("readings and refused lines", len(kept) + len(refused), lines)
    check("refused lines", len(refused), lines // 25)

    for station in STATIONS:
        own = [reading for reading in kept if reading.station == station]
        values = [reading.tenths for reading in own]
        check("tally of " + station, summary[station], (len(own), sum(values)))
        change = sum(step for _, step in changes(iter(own)))
        check("change over the day", change, values[-1] - values[0])
        # The sums add up to each value times the number of windows it is in.
        sums = list(window_sums(iter(values), 24))
        check("windows", len(sums), len(values) - 23)
        windows_of = (min(i + 1, 24, len(values) - i) for i in range(len(values)))
        expected = sum(value * count for value, count in zip(values, windows_of))
        check("sum of the windows", sum(sums), expected)
        signs = [(step > 0) - (step < 0) for _, step in changes(own)]
        check("runs", list(expanded(run_lengths(signs))), signs)
    return summary


def run(scale):
    rng = random.Random(1951)
    days = deque(maxlen=KEPT_DAYS)
    keys = range(400)
    trees = [make_tree(rng, keys) for _ in range(4)]
    odd = make_tree(rng, list(keys)[:-1] + [1000])
    for day in range(max(1, round(50 * scale))):
        days.append(one_day(rng))
        tree = trees[day % len(trees)] = make_tree(rng, keys)
        check("keys in order", list(keys_in_order(tree)), list(keys))
        check("trees alike", [same_keys(tree, other) for other in trees], [True] * 4)
        check("tree unlike", same_keys(tree, odd), False)
    per_day = LINES_PER_STATION * 24 // 25
    for summary in days:
        check("stations", sorted(summary), sorted(STATIONS))
        check("counts", {count for count, _ in summary.values()}, {per_day})
