"""A CPython without the GIL: buffers and what the raw domain has come from the heaps of threads. Objects
stay with CPython's own allocator, and install() says why."""

import pytest

from conftest import FREE_THREADED, built

MISSING = "no free-threaded CPython is here: `make test-free-threaded` builds one"

# Threads that fill and empty each other's lists, dicts and buffers.
THREADS = """
import gc, hakmem, json, os, sys, threading, zlib
def work(n, shared, told):
    for round_number in range(30):
        rows = [{"id": i, "text": "x" * (i % 300), "near": list(range(i % 30))} for i in range(200)]
        shared[n] = [bytearray(i * 11 % 3000) for i in range(300)] + [dict.fromkeys(range(i)) for i in range(50)]
        other = shared[(n + 1) % len(shared)]
        if other: other.clear()
        packed = zlib.compress(json.dumps(rows).encode())
        told.append(json.loads(zlib.decompress(packed)) == rows)
def run(count=8):
    told, shared = [], [None] * count
    threads = [threading.Thread(target=work, args=(n, shared, told)) for n in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(told) == 30 * count and all(told)
"""


@pytest.fixture(scope="module", params=FREE_THREADED or [None])
def python(request):
    if not request.param:
        pytest.skip(MISSING)
    return built(request.param)


def test_objects_are_refused_with_the_reason(python):
    python.code("""
        import hakmem
        for wrong in dict(domains="obj"), dict(domains=("raw", "obj", "mem")), dict(limit=1 << 30):
            try:
                hakmem.install(**wrong)
            except RuntimeError as error:
                assert "free-threaded" in str(error), error
                assert "limit" in wrong or 'only "raw" and "mem"' in str(error), error
            else:
                raise SystemExit("installed")
        assert not hakmem.installed()
        """)


def test_buffers_come_from_the_heaps_of_threads(python):
    python.code(
        THREADS
        + """
run() # blocks from before
assert hakmem.install(profile="lean") is True
assert set(hakmem.installed()) == {"raw", "mem"} and hakmem.thread_profile() == "lean"
assert hakmem.install() is False and hakmem.install(domains="raw") is False
run()
before = hakmem.thread_stats()
kept = [bytearray(2000) for _ in range(10000)]
after = hakmem.thread_stats()
assert after["live_bytes"] - before["live_bytes"] > 19_000_000, (before, after)
assert after["heaps"] > 1 and after["remote_frees"] > 0
del kept
run()
hakmem.thread_trim()
assert hakmem.thread_stats()["live_bytes"] < before["live_bytes"] + 10_000_000
"""
    )


def test_threads_may_install_and_uninstall_meanwhile(python):
    python.code(
        THREADS
        + """
def swing():
    for _ in range(300):
        hakmem.install()
        hakmem.stats(), hakmem.thread_stats(), hakmem.trim(), hakmem.thread_trim()
        hakmem.uninstall()
swingers = [threading.Thread(target=swing) for _ in range(3)]
for thread in swingers: thread.start()
run()
for thread in swingers: thread.join()
assert not hakmem.installed()
hakmem.install()
run()
"""
    )


def test_a_fork_among_threads_goes_on(python):
    python.code(
        THREADS
        + """
import warnings
warnings.simplefilter("ignore")
hakmem.install()
others = [threading.Thread(target=run, args=(2,)) for _ in range(2)]
for thread in others: thread.start()
for _ in range(20):
    child = os.fork()
    if not child:
        kept = [bytearray(i) for i in range(2000)]
        os._exit(len(kept) != 2000)
    assert os.waitpid(child, 0)[1] == 0
for thread in others: thread.join()
"""
    )


def test_it_stays_free_threaded(python):
    """A module that does not say otherwise would bring the GIL back, with a warning."""
    told = python.run("-W", "error", "-c", "import hakmem, sys; hakmem.install(); print(sys._is_gil_enabled())")
    assert (told.stdout, told.stderr) == ("False\n", "")


def test_metrics_tell_of_threads(python):
    python.code("""
        import hakmem
        assert "hakmem_installed 0" in hakmem.openmetrics()
        hakmem.install()
        text = hakmem.openmetrics()
        assert text.endswith("# EOF\\n") and "hakmem_thread_heaps" in text
        """)


def test_a_program_runs_as_ever(python, tmp_path):
    """By `python -m hakmem`, or where the variable is set."""
    program = tmp_path / "program.py"
    program.write_text("import hakmem; print(sum(range(10)), sorted(hakmem.installed()))")
    begun = f"from hakmem._begin import begin; begin(); exec({program.read_text()!r})"
    for ours in python.run("-m", "hakmem", "-q", program), python.run("-c", begun):
        assert (ours.stdout, ours.stderr) == ("45 ['mem', 'raw']\n", "")
    assert "footprint 0.0" not in python.run("-m", "hakmem", program).stderr


def test_cpythons_own_tests_pass(python):
    tests = "test_free_threading", "test_dict", "test_list", "test_bytes", "test_array", "test_json"
    done = python.run("-m", "hakmem", "-q", "-m", "test", *tests)
    assert "Result: SUCCESS" in done.stdout
