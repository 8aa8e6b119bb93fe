"""Observing: what is counted is what the program did, beside everything that may lie around."""

import csv

import pytest

from test_company import INTERPRETERS, everywhere
from test_install import CHURN

OBSERVE = (
    CHURN
    + """
import gc, json
json.loads("[]")
def consistent():
    o = hakmem.observations()
    resizes = o["resizes_in_place"] + o["resizes_moved"]
    total = lambda ranges: sum(r["count"] for r in ranges)
    assert o["operations"] == o["allocations"] + o["frees"] + resizes + o["refusals"]
    assert o["hits"] + o["misses"] == o["allocations"] + o["resizes_moved"]
    assert total(o["sizes"]) == o["allocations"] + resizes + o["refusals"]
    assert total(o["lifetimes"]) + o["freed_unknown"] == o["frees"]
    assert total(o["ages"]) == o["live_blocks"] == sum(c["live"] for c in o["classes"])
    assert o["allocations"] == total(o["lifetimes"]) + o["live_blocks"] + o["freed_unseen"] + o["unnoted"]
    for key in "hits misses refills bytes_requested bytes_given refusals resizes_in_place".split():
        assert o[key] == sum(c[key] for c in o["classes"]), key
    for c in o["classes"]:
        assert c["hits"] + c["misses"] == c["requests"], c
        assert not c["size"] or c["bytes_given"] == c["size"] * c["requests"], c
    assert o["unnoted"] == 0 and o["freed_unseen"] == 0
    return o
def class_of(o, size):
    return next((c for c in o["classes"] if c["size"] == size), {"requests": 0, "frees": 0})
"""
)


def test_it_says_whether_it_was_on(python):
    python.code(
        """
        import hakmem
        assert hakmem.observe(False) is False
        hakmem.install()
        assert hakmem.observing() is False
        assert hakmem.observe() is False and hakmem.observing() is True
        assert hakmem.observe(True) is True
        assert hakmem.observe(False) is True and hakmem.observing() is False
        assert hakmem.observe(False) is False
        """
    )


@pytest.mark.parametrize(
    "before, call, kind, message",
    [
        ("", "observe()", "RuntimeError", "hakmem is not installed, call hakmem.install() first"),
        ("", "observations()", "RuntimeError", "hakmem is not installed"),
        ("", "trace('/nowhere/x')", "RuntimeError", "hakmem is not installed"),
        ("install()", "observations()", "ValueError", "nothing has been observed, call hakmem.observe"),
        ("install()", "trace('/dev/null')", "ValueError", "nothing has been observed"),
        ("install()", "observe(1)", "TypeError", "observe takes True or False, not int"),
        ("install()", "observe('off')", "TypeError", "observe takes True or False, not str"),
        ("install()", "trace('/nowhere/x')", "FileNotFoundError", "/nowhere/x"),
    ],
)
def test_what_is_wrong_is_said(python, before, call, kind, message):
    python.code(
        f"""
        import hakmem
        hakmem.{before or "version"}
        try:
            hakmem.{call}
        except {kind} as error:
            assert {message!r} in str(error), error
        else:
            raise SystemExit("no error")
        """
    )


def test_without_memory_the_heap_goes_on_unobserved(python):
    """The OS gives no address space any more."""
    python.code(
        OBSERVE
        + """
import resource
hakmem.install()
kept = churn(1000)
del kept[::2]
unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
with open("/proc/self/statm") as file: size = int(file.read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
try: hakmem.observe()
except MemoryError as error: reason = str(error)
else: reason = "no error"
finally: resource.setrlimit(resource.RLIMIT_AS, unlimited)
assert reason == "not enough memory to observe", reason
assert hakmem.observing() is False
more = churn(1000)
try: hakmem.observations()
except ValueError: pass
else: raise SystemExit("no error")
assert hakmem.observe() is False and hakmem.observing() is True
again = churn(1000)
assert consistent()["allocations"] > 4000
assert hakmem.observe(False) is True
"""
    )


def test_ten_thousand_objects_are_ten_thousand_requests(python):
    python.code(
        OBSERVE
        + """
class Thing:
    __slots__ = "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"
size = (Thing.__basicsize__ + 16 * 1 + 15) // 16 * 16 # with the collector's header
hakmem.install()
kept = [None] * 10000
gc.disable()
hakmem.observe()
for i in range(10000): kept[i] = Thing()
hakmem.observe(False)
made = consistent()
assert class_of(made, size)["requests"] == 10000
assert class_of(made, size)["live"] == 10000
kept = [None] * 10000
hakmem.observe()
for i in range(10000): kept[i] = Thing()
for i in range(10000): kept[i] = None
hakmem.observe(False)
gone = class_of(consistent(), size)
assert gone["requests"] == gone["frees"] == 10000 and gone["live"] == 0
assert sum(r["count"] for r in gone["lifetimes"] if r["from"] >= 8192) == 10000
"""
    )


def test_it_holds_under_hooks_and_tracemalloc(python):
    everywhere(
        python,
        OBSERVE
        + """
import tracemalloc
hakmem.install()
hakmem.observe()
a = churn(500)
assert consistent()["allocations"] > 2000
tracemalloc.start()
b = churn(500)
assert hakmem.observe(False) is True
c = churn(500)
assert hakmem.observe() is False
d = churn(500)
o = consistent()
assert o["allocations"] > 2000 and o["born_before"] > 6000
tracemalloc.stop()
del a, b, c, d
hakmem.observe(False)
o = consistent()
assert o["frees"] > 6000 and o["freed_unknown"] > 5000
count = o["operations"]
churn(100)
assert hakmem.observations()["operations"] == count
""",
    )


def test_uninstalling_leaves_it_on_for_our_blocks(python):
    python.code(
        OBSERVE
        + """
hakmem.install()
hakmem.observe()
ours = churn(500)
hakmem.uninstall()
before = consistent()
others = churn(500)
after = consistent()
assert hakmem.observing()
assert after["allocations"] == before["allocations"] > 2000
assert after["foreign"] > before["foreign"] + 2000
for entry in ours: entry["b"].extend(range(100))
del ours, entry
assert consistent()["frees"] > after["frees"] + 1500
hakmem.install()
again = churn(500)
assert consistent()["allocations"] > after["allocations"] + 1500
del others
assert hakmem.observe(False) is True
"""
    )


def test_on_and_off_a_thousand_times_under_load(python):
    python.code(
        OBSERVE
        + """
hakmem.install()
kept = []
for cycle in range(1000):
    assert hakmem.observe(cycle % 2 == 0) is (cycle % 2 == 1)
    kept.append(churn(10))
    if cycle % 50 == 0: consistent()
    if len(kept) > 50: del kept[::3]
for part in kept:
    for i, entry in enumerate(part): assert entry["a"] == i and entry["c"] == str(i) * 10
"""
    )


def test_asking_a_thousand_times_leaves_nothing(python):
    python.code(
        OBSERVE
        + """
def ask():
    hakmem.observations(), hakmem.stats(), hakmem.process_stats(), hakmem.options()
    hakmem.observations_json(), hakmem.stats_json(), hakmem.process_stats_json()
def resident():
    with open("/proc/self/statm") as file: return int(file.read().split()[1]) * 4096
hakmem.install()
try: hakmem.observations()
except ValueError: pass
else: raise SystemExit("no error")
hakmem.observe()
kept = churn(500)
hakmem.observe(False)
for _ in range(100): ask()
gc.collect()
blocks, before = live(), resident()
for _ in range(1000): ask()
gc.collect()
assert live() < blocks + 200, live() - blocks
assert resident() < before + 2_000_000, resident() - before
"""
    )


def test_threads_and_a_forked_child(python):
    python.code(
        OBSERVE
        + """
import os, threading
hakmem.install()
hakmem.observe()
kept = []
threads = [threading.Thread(target=lambda: kept.append(churn(2000))) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
live_before = consistent()["live_blocks"]
child = os.fork()
if child == 0:
    kept.clear()
    cleared = consistent()["live_blocks"] < live_before / 2
    os._exit(0 if hakmem.observe(False) and cleared else 1)
assert os.waitpid(child, 0)[1] == 0
assert consistent()["live_blocks"] >= live_before > 20000
"""
    )


@pytest.mark.parametrize("own", [False, True])
def test_other_interpreters(python, own):
    if own and python.version < (3, 12):
        pytest.skip("all interpreters share the GIL before 3.12")
    python.code(
        OBSERVE
        + INTERPRETERS
        + f"own = {own}\n"
        + """
import threading
hakmem.install()
hakmem.observe()
others = [create(own) for _ in range(2)]
threads = [threading.Thread(target=run, args=(other, WORK)) for other in others]
for thread in threads: thread.start()
for i in range(20):
    churn(500)
    o = hakmem.observations()
    assert o["hits"] + o["misses"] == o["allocations"] + o["resizes_moved"]
    hakmem.observe(i % 2 == 0)
for thread in threads: thread.join()
for other in others: interpreters.destroy(other)
assert hakmem.observe(False) is False
"""
    )


def test_the_limit_is_seen_as_refusals(python):
    python.code(
        OBSERVE
        + """
hakmem.install(limit=64 << 20)
hakmem.observe()
before = hakmem.stats()["refusals"]
try: bytes(1 << 27)
except MemoryError: pass
o = consistent()
assert o["refusals"] == hakmem.stats()["refusals"] - before == 1
assert o["sizes"][-1]["from"] >= 1 << 26
"""
    )


def test_the_trace_is_a_csv_of_every_operation(python, tmp_path):
    path = tmp_path / "trace.csv"
    python.code(
        OBSERVE
        + f"""
from pathlib import Path
hakmem.install()
hakmem.observe()
kept = churn(20)
del kept
hakmem.observe(False)
o = consistent()
hakmem.trace(Path({str(path)!r}))
assert o["traced"] == o["operations"]
json.dump(o, open({str(path)!r} + ".json", "w"))
"""
    )
    import json

    told = json.loads((tmp_path / "trace.csv.json").read_text())
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["operation"]) for row in rows] == list(range(1, told["operations"] + 1))
    assert sum(row["event"] == "alloc" for row in rows) == told["allocations"]
    assert sum(row["event"] == "free" for row in rows) == told["frees"]
    assert sum(row["how"] == "hit" for row in rows) == told["hits"]
    assert sum(row["how"] == "in_place" for row in rows) == told["resizes_in_place"]
    sizes = {}  # of each block, as its events tell
    for row in rows:
        if row["event"] == "alloc":
            assert row["block"] == row["operation"]
        if row["block"] and row["event"] != "alloc":
            assert int(row["old_size"]) == sizes[row["block"]], row
        if row["event"] == "free":
            born = sizes.pop(row["block"], None) is not None
            assert born == (row["lifetime"] != "")
        else:
            sizes[row["block"]] = int(row["size"])
    assert len(sizes) - ("" in sizes) == told["live_blocks"]


def test_the_trace_has_the_length_of_the_option(python):
    for length in (0, 7, 100_000):
        source = """
import hakmem, sys
hakmem.install()
hakmem.observe()
kept = [[i] for i in range(5000)]
hakmem.observe(False)
hakmem.trace("/dev/stderr")
"""
        ended = python.run("-c", source, env={"HAKMEM_TRACE": str(length)})
        lines = len(ended.stderr.splitlines()) - 1
        assert lines == length if length < 1000 else lines > 10000
