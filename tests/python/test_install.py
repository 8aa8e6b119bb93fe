"""install, uninstall, installed: what comes from where, what is refused, and what goes back."""

import os

import pytest

from conftest import CHURN


def test_new_blocks_are_ours_and_old_ones_are_not(python):
    python.code(
        CHURN
        + """
old = churn(1000)
assert hakmem.installed() == ()
assert hakmem.install() is True
assert set(hakmem.installed()) == {"mem", "obj"}
before = live()
new = churn(1000)
assert live() > before + 3000, live()
del old
for entry in new: entry["b"].extend(range(100))
del new, entry
assert live() < before + 1000, (before, live())
"""
    )


def test_blocks_of_before_grow_where_they_are(python):
    python.code(
        CHURN
        + """
old = [list(range(n)) for n in range(1, 300)]
text = "x" * 5_000_000
hakmem.install()
for n, entry in enumerate(old, 1):
    entry.extend(range(n, 2000))
    assert entry == list(range(2000))
assert text + "y" == "x" * 5_000_000 + "y"
"""
    )


def test_installing_twice_is_harmless(python):
    python.code(
        CHURN
        + """
assert hakmem.install() is True
new = churn(100)
assert hakmem.install() is False
assert hakmem.install(profile="lean", limit=1 << 30) is False
assert hakmem.profile() == "lean" and hakmem.limit() == 1 << 30
"""
    )


def test_one_domain_can_be_taken_over_alone(python):
    python.code(
        CHURN
        + """
hakmem.install(domains="mem")
assert hakmem.installed() == ("mem",)
before = live()
new = [object() for _ in range(1000)]
assert live() < before + 100
assert hakmem.install(domains=["obj"]) is True
assert set(hakmem.installed()) == {"mem", "obj"}
new = [object() for _ in range(1000)]
assert live() >= before + 1000
"""
    )


def test_uninstalling_leaves_our_blocks_ours(python):
    python.code(
        CHURN
        + """
hakmem.install()
before = live()
ours = churn(1000)
hakmem.uninstall()
assert hakmem.installed() == ()
count = live()
others = churn(1000)
assert live() <= count
for entry in ours: entry["b"].append(entry["c"] + "x")
del ours, entry
assert live() < before + 500, (before, live()) # CPython's own free lists keep some
hakmem.uninstall()
assert hakmem.install() is True
again = churn(1000)
del others
assert live() > before + 3000
"""
    )


def test_a_large_block_that_grows_after_uninstalling_leaves_the_heap(python):
    python.code(
        """
import hakmem
def held():
    return hakmem.stats()["live_bytes"]
hakmem.install()
before = held()
grown = bytearray(range(250)) * 20_000
assert before + 5_000_000 <= held() < before + 6_000_000
grown.extend(bytes(5_000_000))
assert held() >= before + 10_000_000
hakmem.uninstall()
grown.extend(bytes(5_000_000))
assert held() < before + 1_000_000, held() - before
assert grown[:5_000_000] == bytearray(range(250)) * 20_000
assert len(grown) == 15_000_000 and not any(grown[5_000_000::1000])
"""
    )


def test_many_cycles_under_load(python):
    python.code(
        CHURN
        + """
kept = []
for cycle in range(1000):
    hakmem.install()
    kept.append(churn(20))
    hakmem.uninstall()
    kept.append(churn(20))
    if len(kept) > 50: del kept[::3]
for part in kept:
    for i, entry in enumerate(part):
        assert entry["a"] == i and entry["c"] == str(i) * 10 and len(entry["d"]) == i % 3000
del kept, part, entry
assert live() < 2000, live()
assert hakmem.trim() >= 0
"""
    )


@pytest.mark.parametrize(
    "call, kind, message",
    [
        ("install(domains=['heap'])", "ValueError", "unknown domain 'heap', accepted are: mem, obj"),
        ("install(domains='all')", "ValueError", "unknown domain 'all', accepted are: mem, obj, raw"),
        ("install(domains=())", "ValueError", "accepted are: mem, obj"),
        ("install(profile='fast')", "ValueError", "accepted are: speed, balanced, lean"),
        ("install(limit=-1)", "ValueError", "from 0 (no limit)"),
        ("install(limit='1')", "TypeError", "not str"),
        ("install(limit=1)", "ValueError", "a limit of 1 bytes is below"),
        ("install(limit=4096)", "ValueError", "a limit of 4096 bytes is below"),
        ("limit(1 << 30)", "RuntimeError", "not installed"),
    ],
)
def test_what_is_wrong_is_said(python, call, kind, message):
    python.code(
        f"""
        import hakmem
        try:
            hakmem.{call}
        except {kind} as error:
            assert {message!r} in str(error), error
        else:
            raise SystemExit("no error")
        assert hakmem.installed() == ()
        """
    )


def test_below_a_hook_of_somebody_else_it_is_not_installed(python):
    if python.run("-c", "import _testcapi", status=None).returncode:
        pytest.skip("this CPython has no _testcapi")
    python.code(
        CHURN
        + """
import _testcapi
_testcapi.set_nomemory(1 << 30)
try:
    hakmem.install()
except RuntimeError as error:
    reason = error
_testcapi.remove_mem_hooks()
assert "hook of somebody else" in str(reason), reason
assert hakmem.installed() == ()
assert hakmem.install() is True
_testcapi.set_nomemory(1 << 30)
assert hakmem.install(limit=1 << 30) is False # above ours, a hook does no harm
churn(1000)
_testcapi.remove_mem_hooks()
assert set(hakmem.installed()) == {"mem", "obj"}
"""
    )


def test_a_large_array_grows(python):
    python.code(
        """
        import hakmem
        hakmem.install()
        kept = bytearray()
        for i in range(300):
            kept += bytes([i % 251]) * 100_000
        assert all(kept[i * 100_000 + 50] == i % 251 for i in range(300))
        assert hakmem.stats()["large_blocks"] >= 1
        """
    )


def test_a_full_collection_gives_back_what_the_profile_lets_go(python):
    """Of most bursts the frees give it back already, of some only the collection."""
    python.code(
        """
import gc, hakmem
hakmem.install(profile="lean")
gc.disable()
callback = gc.callbacks[-1]
def purges():
    return hakmem.stats()["purges"]
given = 0
for n in range(30_000, 50_000, 5_000):
    lists = []
    for i in range(n):
        entry = [i * 1000]
        entry.append(entry)
        lists.append(entry)
    kept = lists[::97]
    del lists, entry
    gc.callbacks.remove(callback)
    gc.collect()
    gc.callbacks.append(callback)
    before = purges()
    gc.collect(0)
    assert purges() == before
    gc.collect()
    given += purges() - before
assert given > 0
callback("stop", {}), callback("stop", {"generation": 2**100}), callback(), callback(1, 2)
"""
    )


def test_what_asks_the_collector_keeps_nothing_and_raises_nothing(python):
    python.code(
        CHURN
        + """
import gc, sys
hakmem.install()
gc.disable()
callback = gc.callbacks[-1]
def call(times):
    for _ in range(times):
        callback("start", {"generation": 2})
        callback("stop", {"generation": 2})
def counts():
    return live(), *map(sys.getrefcount, (gc, True, False))
call(5000), counts() # until CPython's lists of free objects are full
before = counts()
call(1000)
assert all(now < then + 300 for now, then in zip(counts(), before)), (counts(), before)
class Odd:
    isenabled = staticmethod(lambda: True)
    get_count = get_threshold = staticmethod(lambda: ("some", 2, None))
class Odder(Odd):
    get_count = get_threshold = staticmethod(lambda: 1)
for other in (None, Odd, Odder, 1):
    sys.modules["gc"] = other
    call(10)
sys.modules["gc"] = gc
call(10)
"""
    )


@pytest.mark.skipif(
    "HAK_SANITIZER" in os.environ, reason="the sanitizer has a malloc of its own"
)
def test_what_the_c_library_holds_free_is_given_back(python):
    python.code(
        """
import ctypes, hakmem
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
blocks = [libc.malloc(1000) for _ in range(20_000)]
for block in blocks:
    ctypes.memset(block, 1, 1000)
for block in blocks[:-1]:
    libc.free(block)
before = resident()
hakmem.install()
assert before - resident() > 15_000_000, before - resident()
"""
    )


def test_an_audit_hook_may_install_meanwhile(python):
    """CPython calls hooks when install() adds its own, from 3.12 on."""
    python.code(
        """
import hakmem, sys
called = []
def hook(event, arguments):
    if event == "sys.addaudithook" and not called:
        called.append(event)
        hakmem.install()
sys.addaudithook(hook)
hakmem.install()
assert set(hakmem.installed()) == {"mem", "obj"} and hakmem.stats()["live_blocks"] > 0
"""
    )
