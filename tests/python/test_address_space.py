"""Address space: an interpreter with hakmem takes about what a stock one does, a limit (RLIMIT_AS) means the same, before
the start, at run time and in a child, and what has been freed is there for others."""

import pytest

SPACE = """
keep = [{"key": str(i)} for i in range(%d)]
with open("/proc/self/status") as file:
    print(*(line.split()[1] for line in file if line.startswith("VmSize")))
"""

FILL = """
import os, resource, sys, threading

def fill():
    keep = []
    try:
        while True:
            keep.append({"a": str(len(keep)) * 5})
    except MemoryError:
        count = len(keep)
    del keep
    thread = threading.Thread(target=list)
    thread.start()
    thread.join()
    return count

limit, when = int(sys.argv[1]), sys.argv[2]
warm = [{"a": i} for i in range(10000)]
if when == "child" and os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]) if hasattr(os, "waitstatus_to_exitcode") else os.wait()[1] >> 8)
if when != "before":
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(fill(), flush=True)
os._exit(0)
"""

IMPORTS = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (4 << 30,) * 2)
import _decimal, sqlite3, subprocess, threading
thread = threading.Thread(target=list)
thread.start()
thread.join()
subprocess.run(["true"], check=True)
assert bytearray(64 << 20) and bytes(100 << 20)
"""

WITH_HAKMEM = {"HAKMEM_PYTHON": "1"}
WITHOUT = {"HAKMEM_PYTHON": "0"}
SLACK = 64 * 1024  # KiB


def numbers(python, *arguments):
    """What a program prints without hakmem, and with it."""
    return [int(python.run(*arguments, env=env).stdout) for env in (WITHOUT, WITH_HAKMEM)]


@pytest.mark.parametrize("objects", [0, 300_000])
def test_the_address_space_is_what_is_needed(python, objects):
    stock, ours = numbers(python, "-c", SPACE % objects)
    assert ours <= stock + SLACK
    if objects:
        assert ours <= stock * 1.25, (stock, ours)


@pytest.mark.parametrize("when", ["at run time", "child", "before"])
def test_a_limit_means_what_it_means_for_pymalloc(python, tmp_path, when):
    script = tmp_path / "fill.py"
    script.write_text(FILL)
    limit = 200 << 20
    if when == "before":
        counts = []
        for env in (WITHOUT, WITH_HAKMEM):
            code = (
                "import os, resource, sys; "
                f"resource.setrlimit(resource.RLIMIT_AS, ({limit},) * 2); "
                "os.execv(sys.executable, [sys.executable] + sys.argv[1:])"
            )
            result = python.run("-c", code, str(script), str(limit), when, env=env)
            counts.append(int(result.stdout))
    else:
        counts = numbers(python, str(script), str(limit), when)
    stock, ours = counts
    assert ours >= stock * 0.95, (stock, ours)


def test_a_program_with_a_limit_goes_on_normally(python):
    python.run("-c", IMPORTS, env=WITH_HAKMEM)
