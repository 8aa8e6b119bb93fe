"""Together with the rest of CPython: tracemalloc, debug hooks, other interpreters, fork, threads."""

import pytest

from conftest import CHURN


def hooks(python):
    return [
        {},
        {"PYTHONMALLOC": "debug"},
        {"PYTHONMALLOC": "malloc"},
        {"PYTHONDEVMODE": "1"},
        {"PYTHONTRACEMALLOC": "3"},
        {"PYTHONTRACEMALLOC": "3", "PYTHONMALLOC": "malloc_debug"},
    ]


def everywhere(python, source):
    for env in hooks(python):
        python.code(CHURN + source, env=env)


def test_tracemalloc_started_before(python):
    everywhere(
        python,
        """
import tracemalloc
tracemalloc.start(5)
a = churn(1000)
hakmem.install()
b = churn(1000)
assert sum(s.size for s in tracemalloc.take_snapshot().statistics("lineno")) > 600_000
tracemalloc.stop()
count = live()
c = churn(1000)
assert live() > count + 3000
del a, b, c
tracemalloc.start()
d = churn(1000)
hakmem.uninstall()
e = churn(1000)
tracemalloc.stop()
del d, e
""",
    )


def test_tracemalloc_started_after(python):
    everywhere(
        python,
        """
import tracemalloc
hakmem.install()
a = churn(1000)
for _ in range(3):
    tracemalloc.start()
    b = churn(1000)
    assert tracemalloc.get_traced_memory()[0] > 300_000
    hakmem.uninstall()
    c = churn(100)
    tracemalloc.stop()
    hakmem.install()
    d = churn(100)
assert tracemalloc.is_tracing() is False
""",
    )


def test_debug_hooks_go_on_checking(python):
    source = (
        CHURN
        + """
import _testcapi
hakmem.install()
_testcapi.pymem_buffer_overflow()
"""
    )
    if python.run("-c", "import _testcapi", status=None).returncode:
        pytest.skip("this CPython has no _testcapi")
    ended = python.run("-c", source, env={"PYTHONMALLOC": "debug"}, status=None)
    assert ended.returncode < 0 and "bad trailing pad byte" in ended.stderr


def test_a_forked_child_and_its_parent_go_on(python):
    python.code(
        CHURN
        + """
import os
hakmem.install()
kept = churn(5000)
for _ in range(10):
    child = os.fork()
    if child == 0:
        mine = churn(5000)
        kept.clear()
        hakmem.trim()
        os._exit(0 if len(churn(1000)) == 1000 else 1)
    more = churn(2000)
    assert os.waitpid(child, 0)[1] == 0
assert all(entry["a"] == i for i, entry in enumerate(kept))
"""
    )


def test_multiprocessing(python, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        """
import multiprocessing, sys
def work(n):
    import hakmem
    hakmem.install()
    return sum(len(str(i)) for i in range(n))
if __name__ == "__main__":
    import hakmem
    hakmem.install()
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(work, [1000] * 20) == [2890] * 20
"""
    )
    python.run(program)


def test_threads_free_each_others_objects(python):
    python.code(
        CHURN
        + """
import queue, threading
hakmem.install()
items = queue.Queue(100)
def produce():
    for _ in range(200): items.put(churn(20))
    items.put(None)
def consume(done):
    ended = 0
    while ended < 4:
        item = items.get()
        if item is None: ended += 1
    done.append(True)
done = []
threads = [threading.Thread(target=produce) for _ in range(4)]
threads.append(threading.Thread(target=consume, args=(done,)))
for thread in threads: thread.start()
for thread in threads: thread.join()
assert done == [True]
"""
    )


INTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
def create(own):
    if sys.version_info >= (3, 13): return interpreters.create("isolated" if own else "legacy")
    return interpreters.create(isolated=own)
def run(interpreter, source):
    failed = interpreters.run_string(interpreter, source)
    assert failed is None, failed
WORK = "kept = [{'a': i, 'b': [i] * 5, 'c': str(i) * 10} for i in range(20000)]; kept.clear()"
"""


@pytest.mark.parametrize("own", [False, True])
def test_other_interpreters(python, own):
    if own and python.version < (3, 12):
        pytest.skip("all interpreters share the GIL before 3.12")
    python.code(
        CHURN
        + INTERPRETERS
        + f"own = {own}\n"
        + """
import threading
hakmem.install()
kept = churn(2000)
others = [create(own) for _ in range(3)]
threads = [threading.Thread(target=run, args=(other, WORK)) for other in others for _ in range(1)]
for thread in threads: thread.start()
for _ in range(10): churn(2000); hakmem.stats(); hakmem.trim()
for thread in threads: thread.join()
for other in others: interpreters.destroy(other)
assert all(entry["a"] == i for i, entry in enumerate(kept))
"""
    )


def test_interpreters_that_are_refused_the_module_at_once(python):
    if python.version < (3, 12):
        pytest.skip("all interpreters share the GIL before 3.12")
    for _ in range(10):
        python.code(
            INTERPRETERS
            + """
import threading
SOURCE = '''
try: import hakmem
except ImportError: pass
else: raise SystemExit("objects of one GIL under another")
'''
others = [create(True) for _ in range(6)]
threads = [threading.Thread(target=run, args=(other, SOURCE)) for other in others]
for thread in threads: thread.start()
import hakmem
for thread in threads: thread.join()
for other in others: interpreters.destroy(other)
hakmem.install()
assert hakmem.stats()["live_blocks"] > 0
"""
        )


def test_another_interpreter_cannot_install(python):
    if python.version >= (3, 12):
        pytest.skip("its own GIL keeps the module from being imported there")
    python.code(
        INTERPRETERS
        + """
import hakmem
run(create(False), '''
import hakmem
try:
    hakmem.install()
except RuntimeError as error:
    assert "main interpreter" in str(error)
else:
    raise SystemExit("no error")
''')
"""
    )


def test_faulthandler_and_allocated_blocks(python):
    python.code(
        CHURN
        + """
import faulthandler, sys
faulthandler.enable()
hakmem.install()
kept = churn(1000)
count = sys.getallocatedblocks()
more = [object() for _ in range(10000)]
assert 10000 <= sys.getallocatedblocks() - count < 10100
hakmem.uninstall()
hakmem.install()
assert 10000 <= sys.getallocatedblocks() - count < 10200
del more
assert sys.getallocatedblocks() - count < 200
faulthandler.dump_traceback()
"""
    )


def test_malloc_statistics_show_the_size_classes(python):
    ended = python.run(
        "-c",
        CHURN
        + """
import sys
hakmem.install()
kept = churn(1000)
sys.stderr = None
sys._debugmallocstats()
""",
    )
    before, ours = ended.stderr.split("Small block threshold = 16384, in ")
    assert "free Py" in before
    assert len(ours.splitlines()) > 40 and "# live_blocks " in ours


def test_the_interpreter_ends_with_objects_alive(python):
    python.code(
        CHURN
        + """
import sys
hakmem.install()
class Late:
    def __del__(self): sys.stdout.write(str(len(churn(100)) if churn else 100))
kept = churn(1000), Late()
kept[0].append(kept)
sys.kept = kept
"""
    )
