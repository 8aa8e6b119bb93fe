"""A program that works in bursts: what it drops waits a moment for the next burst, and then goes, though the program does
nothing; a fork never finds a thread of ours."""

import pytest

BURSTS = """
import os, time, hakmem

def burst():
    list = [bytearray(600) for _ in range(40000)]
    del list

def pooled():
    return hakmem.process_stats()["pooled"]

def calls():
    return hakmem.process_stats()["os_calls"]["total"]

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def until(holds):
    end = time.monotonic() + 60
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    assert holds(), pooled()

hakmem.install(profile="balanced")
"""


def test_bursts_take_their_pages_again(python):
    python.code(
        BURSTS
        + """
hakmem.configure(decay=60000)
for _ in range(5): burst()
before = calls()
for _ in range(5): burst()
assert calls() - before < 200, calls() - before
buffer = None
for _ in range(5): buffer = bytearray(b"x") * (20 << 20)
before = calls()
for _ in range(5): buffer = bytearray(b"x") * (20 << 20)
assert calls() - before < 20, calls() - before
"""
    )


def test_what_waits_goes_while_nothing_happens(python):
    python.code(
        BURSTS
        + """
before = resident()
for _ in range(5): burst()
buffer = bytearray(b"x") * (20 << 20)
del buffer
until(lambda: pooled() < 1 << 20)
assert resident() < before + (10 << 20), (before, resident())
"""
    )


COLLECTIONS = """
import gc
hakmem.configure(decay=60000)
full = [0]
def count(phase, info):
    full[0] += phase == "stop" and info["generation"] == 2
gc.callbacks.append(count)
def drop_dicts():
    kept = [{"a": [i]} for i in range(300_000)]
    del kept
def retained():
    return hakmem.stats()["retained"]
"""


def test_a_collection_that_is_asked_for_gives_it_back_at_once(python):
    """What waits, and what the profile would retain; whether collections are due or not."""
    python.code(
        BURSTS
        + COLLECTIONS
        + """
gc.collect()
for prepare in (int, gc.disable, gc.enable):
    prepare()
    before = resident()
    drop_dicts()
    assert pooled() > 20 << 20 and retained() > 2 << 20, (pooled(), retained())
    gc.collect()
    assert pooled() < 1 << 20 and retained() <= 256 << 10, (pooled(), retained())
    assert resident() < before + (6 << 20), (before, resident())
"""
    )


def test_a_collection_that_is_due_leaves_it(python):
    python.code(
        BURSTS
        + COLLECTIONS
        + """
drop_dicts()
before, full[0] = pooled(), 0
gc.set_threshold(10, 1, 1)
kept = []
while not full[0] and len(kept) < 10_000_000:
    kept.append([])
gc.set_threshold(0)
assert full[0] and pooled() > before / 2 > 10 << 20, (full, before, pooled())
"""
    )


@pytest.mark.parametrize("flags", [[], ["-W", "error::DeprecationWarning"]])
def test_a_fork_finds_no_thread(python, flags):
    python.run(
        *flags,
        "-c",
        BURSTS
        + """
def threads():
    return len(os.listdir("/proc/self/task"))
hakmem.configure(decay=60000)
burst()
assert threads() == 2 and pooled() > 10 << 20, (threads(), pooled())
child = os.fork()
assert threads() == 1 and pooled() < 1 << 20, (threads(), pooled())
burst()
assert threads() == 2 and pooled() > 10 << 20
if child == 0: os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    )
