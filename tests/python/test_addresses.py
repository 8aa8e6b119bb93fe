"""CPython hashes an object by its address. On hakmem such hashes use more buckets of a table than
with pymalloc, whatever the objects' size, and however many there are."""

import json
import statistics

import pytest

# Objects that are taken at once by a fresh process that has some already, and the buckets that a
# table for them has.
PROGRAM = """
import random

# A float has 24 bytes, a bytes object 33 and its contents.
def make(size, n):
    return float(n) if size == 32 else bytes(size - 33)

count, sizes, beside, before = {count}, {sizes}, {beside}, {before}
random.seed(count)
kept = [make(random.choice(sizes), -n) for n in range(before)]
objects, others = [], []
for n in range(count):
    objects.append(make(random.choice(sizes), n))
    if beside:
        others.append([n])
table = 1 << (count * 3 // 2 - 1).bit_length()
print(len({{object.__hash__(each) & (table - 1) for each in objects}}))
"""

SIZES = [32, 48, 64, 96]

# Where in a slab objects begin is chance, and so is how a few of them meet those of the next slab:
# the mean over beginnings all round a slab of the smaller ones says how it is.
BEFORE = {300: range(0, 344, 43), 3000: range(0, 344, 43)}


def used(python, allocator, **case):
    total = 0
    for before in BEFORE.get(case["count"], (0,)):
        program = PROGRAM.format(before=before, **case)
        if allocator == "hakmem":
            program = "import hakmem; hakmem.install()\n" + program
        total += int(python.run("-c", program).stdout)
    return total


def ratios(python, count):
    """Of each size alone, of all mixed, and of objects that come with others of another size."""
    cases = [dict(sizes=[size], beside=False) for size in SIZES]
    cases += [dict(sizes=SIZES, beside=False), dict(sizes=[64], beside=True)]
    found = {}
    for case in cases:
        ours, stock = (
            used(python, allocator, count=count, **case) for allocator in ("hakmem", "pymalloc")
        )
        found[json.dumps(case)] = ours / stock
    return found


# Where nearly every object has a bucket of its own with either, one more or less says nothing.
EQUAL = 0.999


@pytest.mark.parametrize("count, mean", [(20_000, 1.5), (100_000, 1.3)])
def test_more_buckets_are_used_than_with_pymalloc(python, count, mean):
    found = ratios(python, count)
    assert min(found.values()) >= EQUAL, found
    assert statistics.geometric_mean(found.values()) >= mean, found


@pytest.mark.parametrize("count", [300, 3000])
def test_a_few_objects_use_no_fewer_on_average(python, count):
    found = ratios(python, count)
    assert min(found.values()) >= 0.8, found
    assert statistics.geometric_mean(found.values()) >= 1.1, found
