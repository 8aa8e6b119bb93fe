"""The raw domain, over the heaps of threads: taken with the others, by all threads, and left again."""

ALL = 'domains=("raw", "obj", "mem")'

THREADS = """
import hakmem, hashlib, json, threading, zlib
def work(n, told):
    for round_number in range(20):
        rows = [{"id": i, "text": "x" * (i % 300)} for i in range(300)]
        packed = zlib.compress(json.dumps(rows).encode())
        told.append(hashlib.sha256(zlib.decompress(packed)).hexdigest())
def run():
    told = []
    threads = [threading.Thread(target=work, args=(n, told)) for n in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(told) == 160 and len(set(told)) == 1
"""



def test_all_domains_are_taken(python):
    python.code(
        THREADS
        + f"""
run() # blocks from before
assert hakmem.install({ALL}) is True
assert set(hakmem.installed()) == {{"raw", "obj", "mem"}}
assert hakmem.install({ALL}) is False
run()
assert hakmem.process_stats()["heaps"] > 1
"""
    )


def test_raw_is_left_to_libc_unless_it_is_named(python):
    python.code(
        THREADS
        + """
hakmem.install()
run()
assert set(hakmem.installed()) == {"obj", "mem"}
assert hakmem.process_stats()["heaps"] == 1
hakmem.install(domains="raw")
run()
assert set(hakmem.installed()) == {"raw", "obj", "mem"}
"""
    )


def test_blocks_of_both_are_freed_and_resized_after_uninstall(python):
    python.code(
        THREADS
        + f"""
import os
hakmem.install({ALL})
for n in range(2000): os.environ[f"HERE_{{n}}"] = "x" * n
run()
hakmem.uninstall()
run()
for n in range(2000): os.environ[f"HERE_{{n}}"] = "y" * (4000 - n)
hakmem.install({ALL})
for n in range(2000): del os.environ[f"HERE_{{n}}"]
run()
"""
    )


def test_debug_hooks_and_tracemalloc_stay_above(python):
    for more in (["-X", "dev"], ["-X", "tracemalloc"]):
        done = python.run(*more, "-c", THREADS + f"hakmem.install({ALL})\nrun()\nprint(hakmem.installed())")
        assert "raw" in done.stdout and "Error" not in done.stderr


def test_a_fork_among_threads_goes_on(python):
    python.code(
        THREADS
        + f"""
import os, warnings
warnings.simplefilter("ignore")
hakmem.install({ALL})
stop = False
def churn():
    while not stop: work(0, [])
threads = [threading.Thread(target=churn) for n in range(3)]
for thread in threads: thread.start()
for n in range(20):
    child = os.fork()
    if child == 0:
        work(0, [])
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
stop = True
for thread in threads: thread.join()
"""
    )


def test_interpreters_with_a_gil_of_their_own(python):
    python.code(
        f"""
import sys, threading, hakmem
if sys.version_info < (3, 12): raise SystemExit
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
hakmem.install({ALL})
def work():
    for n in range(3):
        one = interpreters.create()
        interpreters.run_string(one, "x = [str(i) * 50 for i in range(20000)]; import json; json.dumps(x)")
        interpreters.destroy(one)
threads = [threading.Thread(target=work) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert set(hakmem.installed()) == {{"raw", "obj", "mem"}}
"""
    )


def test_the_heaps_of_threads_are_told_and_set(python, tmp_path):
    python.code(
        THREADS
        + f"""
nothing = hakmem.thread_stats()
assert nothing["heaps"] == nothing["live_bytes"] == 0 and hakmem.thread_profile() == "balanced"
assert hakmem.thread_trim() == 0
hakmem.install({ALL})
run()
seen = hakmem.thread_stats()
assert seen["heaps"] >= 1 and seen["footprint"] > 0 and seen["footprint"] >= seen["retained"]
assert json.loads(hakmem.thread_stats_json()).keys() == seen.keys()
assert hakmem.thread_profile("lean") == "lean" == hakmem.thread_profile()
assert hakmem.profile() == "balanced"
hakmem.thread_configure(retain_least="64k")
assert hakmem.thread_profile() == "custom"
for wrong in "fast", "": # unknown
    try: hakmem.thread_profile(wrong)
    except ValueError as error: assert "accepted are" in str(error)
    else: raise AssertionError
try: hakmem.thread_configure(retain="1")
except ValueError as error: assert "unknown option 'retain'" in str(error)
else: raise AssertionError
assert hakmem.thread_trim() >= 0
hakmem.thread_heap_map({str(tmp_path / "map.html")!r})
text = open({str(tmp_path / "map.html")!r}).read()
assert text.count("<h1>") == hakmem.thread_stats()["heaps"] and text.endswith("</html>\\n")
assert "hakmem_thread_live_bytes " in hakmem.openmetrics()
"""
    )
