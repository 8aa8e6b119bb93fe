"""Limits, profiles, options and prewarming: what is set holds, and is told."""

import pytest

from conftest import CHURN, SANITIZER


def test_the_limit_is_a_memory_error(python):
    python.code(
        CHURN
        + """
hakmem.install(limit=64 << 20)
kept = []
for _ in range(3):
    try:
        while True: kept.append(bytes(1500)) # a size that stats() does not need
    except MemoryError:
        pass
    assert 60 << 20 < hakmem.stats()["footprint"] <= 64 << 20
    kept.clear()
assert len(churn(1000)) == 1000
kept = churn(10000)
try:
    hakmem.limit(1000)
except ValueError as error:
    assert "in use" in str(error), error
else:
    raise SystemExit("no error")
assert hakmem.limit(0) == 0
"""
    )


def test_a_limit_below_what_is_in_use_changes_nothing(python):
    python.code(
        CHURN
        + """
hakmem.install(domains="obj", limit=512 << 20)
kept = churn(20000)
try:
    hakmem.install(profile="lean", limit=1 << 20)
except ValueError as error:
    assert "a limit of 1048576 bytes is below the" in str(error), error
    assert "in use" in str(error), error
else:
    raise SystemExit("no error")
assert hakmem.installed() == ("obj",)
assert hakmem.limit() == 512 << 20 and hakmem.profile() == "balanced"
assert hakmem.install(domains="obj", limit=0) is False
assert hakmem.limit() == 0
"""
    )


def test_the_least_limit_is_enough_to_go_on(python):
    python.code(
        """
        import hakmem
        hakmem.install(limit=65536)
        try:
            kept = [[i] for i in range(10000)]
        except MemoryError:
            hakmem.uninstall()
        else:
            raise SystemExit("no error")
        assert len([[i] for i in range(10000)]) == 10000
        """
    )


def test_a_profile_for_a_while(python):
    python.code(
        """
        import hakmem
        hakmem.install()
        try:
            with hakmem.using_profile("lean"):
                assert hakmem.profile() == "lean"
                raise KeyError
        except KeyError:
            pass
        assert hakmem.profile() == "balanced"
        """
    )


def test_options_are_told_and_set(python):
    python.code(
        """
import hakmem
before = hakmem.options()
assert before["wake"]["origin"] == "environment" and before["wake"]["value"] == "9"
hakmem.install(profile="lean")
assert hakmem.options()["profile"] == {
    "variable": "HAKMEM_PROFILE", "type": "name", "range": "speed, balanced, lean, custom",
    "help": before["profile"]["help"], "value": "lean", "origin": "heap"}
hakmem.configure(retain_least="1m", decommit="OFF", mem_lean=True)
told = hakmem.options()
assert hakmem.profile() == "custom"
assert [told[name]["value"] for name in ("retain_least", "decommit", "mem_lean")] == [
    "1048576", "OFF", "1"]
for settings, says in (
    ({"carve": 1}, "option 'carve' cannot be '1', accepted are: 4096 to"),
    ({"x": 1}, "unknown option 'x', accepted are: mem_lean, warm_pool"),
    ({"wake": 3, "mem_lean": 2}, "option 'mem_lean' cannot be '2', accepted are: 0, 1"),
):
    try:
        hakmem.configure(**settings)
    except ValueError as error:
        assert says in str(error), error
    else:
        raise SystemExit("no error")
assert hakmem.options() == told
assert hakmem.profile("MIXED_TINYV3_C7_SAFE") == "speed"
assert hakmem.options()["wake"]["value"] == "9"
""",
        env={"HAKMEM_WAKE": "9"},
    )


def test_a_thousand_switches_under_load_lose_nothing(python):
    python.code(
        """
import hakmem
hakmem.install()
names, kept = ["lean", "speed", "balanced"], {}
for i in range(1000):
    hakmem.profile(names[i % 3])
    for j in range(40):
        slot = (i * 7919 + j * 104729) % 3000
        if slot in kept:
            data, size = kept[slot]
            assert len(data) == size and set(data) <= {slot % 256}
        size = slot * j % (60000 if j == 1 else 900)
        kept[slot] = bytes([slot % 256]) * size, size
    if i % 100 == 0:
        hakmem.configure(retain_least=i * 100, decommit="FREE")
for slot, (data, size) in kept.items():
    assert data == bytes([slot % 256]) * size
"""
    )


def test_memory_is_touched_ahead(python):
    python.code(
        """
import hakmem
hakmem.install()
assert hakmem.prewarm(8 << 20) == 8 << 20
assert hakmem.stats()["retained"] >= 7 << 20
assert hakmem.process_stats()["retained"] >= 7 << 20
assert '"heaps": 1' in hakmem.process_stats_json()
assert hakmem.trim() >= 7 << 20
for wrong in -1, 2**60:
    try:
        hakmem.prewarm(wrong)
    except ValueError:
        continue
    raise SystemExit("no error")
"""
    )


def test_kinds_are_told_where_they_are_kept_apart(python):
    """Python says of no block what it is for."""
    python.code(
        """
import hakmem
assert hakmem.stats()["kinds"] == []
hakmem.install()
kept = [[i] for i in range(1000)]
stats = hakmem.stats()
[other] = stats["kinds"]
assert other["name"] == "other" and other["live_bytes"] > 1000
assert (other["live_bytes"], other["live_blocks"]) == (stats["live_bytes"], stats["live_blocks"])
""",
        env={"HAKMEM_KINDS": "1"},
    )


@pytest.mark.skipif(SANITIZER is not None, reason="the sanitizer has a malloc of its own")
def test_what_is_wrong_is_said_where_the_c_library_has_no_memory(python):
    """A first thread-local variable would need some: glibc would end the process."""
    python.code(
        """
import ctypes, resource, threading
import hakmem
hakmem.install()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
begun, go = threading.Event(), threading.Event()
told = []
def ask(call, *arguments):
    try: call(*arguments)
    except Exception as error: told.append(str(error))
def use_up_and_ask():
    begun.set()
    go.wait()
    for size in (1 << 16, 4096, 1024, 256, 16):
        while libc.malloc(size): pass
    ask(hakmem.limit, 1)
    ask(hakmem.profile, "fast")
    ask(hakmem.observe)
    told.append(hakmem.stats()["name"])
thread = threading.Thread(target=use_up_and_ask)
thread.start()
begun.wait()
with open("/proc/self/statm") as file: size = int(file.read().split()[0]) * 4096
unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
go.set()
thread.join()
resource.setrlimit(resource.RLIMIT_AS, unlimited)
limit, profile, observe, name = told
assert "bytes in use" in limit, told
assert "unknown profile 'fast'" in profile, told
assert observe == "not enough memory to observe", told
assert name == "python", told
"""
    )
