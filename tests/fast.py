#!/usr/bin/env python3
"""Runs the fast set: tests that find most mistakes in seconds. See docs/testing.md.

    fast.py [--jobs N] [GROUP...]

What it runs is built by `make -f tests/fast.mk`. scripts/mutate.py runs the same tests,
one after the other, in copies of the tree.
"""

from __future__ import annotations

import argparse
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
PATH = "/usr/local/bin:/usr/bin:/bin"
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")

# HAK_TEST_SCALE of the C tests: what it divides operations by, where a test has many.
SCALE = {"core": 40, "lua": 8}

# A mistake may make a test take all memory, fill the disk or fork without end.
DATA_MOST = 3_000_000_000
DATA_WITHOUT_END = {"thread"}  # groups: the sanitizer maps terabytes
FILE_MOST = 100_000_000
PROCESSES_MORE = 300

# Without a limit of its own, a test may take so long.
SECONDS_MOST = 120

LUA_VERSIONS = ("5.4", "5.1", "jit")
# Takes long and finds little that the others do not.
LUA_LONG = {
    "test_install": ["100_mb"],
    "test_pace": ["TestForever", "in_8_mib", "in_64_mib"],
    "test_limit": [
        "TestPlaces",
        "generational",
        "table_of_strings",
        "a_hash",
        "load_of_much",
        "string_upper",
    ],
}
LUA_SCRIPTS = {
    "5.4": [
        "test_control",
        "test_kinds",
        "test_observe",
        "test_options",
        "test_stats",
        "test_install",
        "test_endings",
        "test_limit",
        "test_pace",
    ],
    "5.1": ["test_control", "test_options", "test_stats", "test_pace"],
    "jit": ["test_control", "test_addresses", "test_pace"],
}
STRESS = """
expected=$({lua} tests/lua/stress.lua eager) &&
[ "$({lua} -l hakmem.auto tests/lua/stress.lua eager)" = "$expected" ] &&
[ "$(HAKMEM_KINDS=1 {programs}/run_state tests/lua/stress.lua eager)" = "$expected" ]
"""

PYTHON_TESTS = {
    "adapter": [
        "test_install.py",
        "test_control.py",
        "test_company.py",
        "test_observe.py",
    ],
    "program": [
        "test_embedding.py",
        "test_heap_map.py",
        "test_metrics.py",
        "test_running.py",
        "test_bursts.py",
    ],
}
PYTHON_LONG = [
    "browser",
    "tracemalloc",
    "multiprocessing",
    "test_startup",
    "test_embedding_with_pythonmalloc and installed_again",
]


@dataclass(frozen=True)
class Test:
    group: str
    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.group}/{self.name}"


@dataclass(frozen=True)
class Outcome:
    how: str  # "": it passed; else how it did not
    seconds: float
    output: str


def make(root: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    """Builds groups, or what else tests/fast.mk makes."""
    return subprocess.run(
        ["make", "-s", "-f", "tests/fast.mk", f"PYTHON={PYTHON}", *targets],
        cwd=root,
        capture_output=True,
        text=True,
    )


def lua_tests(version: str, build: Path) -> list[Test]:
    lua, programs = f"lua{version}", f"{build}/lua{version}"
    luaunit = (glob.glob("/usr/share/lua/5.*/luaunit.lua") or [""])[0]
    environment = {
        "LUA_PATH": f"tests/lua/?.lua;;{luaunit.replace('luaunit.lua', '?.lua')}",
        "LUA_CPATH": f"{programs}/?.so;;",
    }
    tests = []
    for script in LUA_SCRIPTS[version]:
        skipped = [word for name in LUA_LONG.get(script, []) for word in ("-x", name)]
        command = (lua, f"tests/lua/{script}.lua", *skipped)
        tests.append(Test(f"lua{version}", f"{script}.lua", command, environment))
    if version == LUA_VERSIONS[0]:
        stress = ("sh", "-c", STRESS.format(lua=lua, programs=programs))
        tests.append(Test(f"lua{version}", "stress", stress, environment))
    return tests


def python_tests(build: Path) -> list[Test]:
    has_pytest = [sys.executable, "/usr/bin/python3"]
    pytest = next(
        python
        for python in has_pytest
        if not subprocess.run(
            [python, "-c", "import pytest"], capture_output=True
        ).returncode
    )
    long = " or ".join(f"({name})" for name in PYTHON_LONG)
    return [
        Test(
            "python",
            name,
            (
                pytest,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:cacheprovider",
                "-k",
                f"not ({long})",
            )
            + tuple(f"tests/python/{file}" for file in files),
            {"HAK_BUILD": str(build), "PYTHON": PYTHON, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        for name, files in PYTHON_TESTS.items()
    ]


def all_tests(root: Path) -> list[Test]:
    """In the order of groups in tests/fast.mk. What they name is relative to the root of the tree."""
    build = Path("build/tests/fast")
    tests = []
    for line in make(root, "list").stdout.splitlines():
        group, name = line.split()
        tests.append(Test(group, name, (f"{build}/{group}/{name}",)))
    for version in LUA_VERSIONS:
        tests += lua_tests(version, build)
    return tests + python_tests(build)


def processes_of_user() -> int:
    """Threads too, since the limit counts them."""
    count = 0
    for entry in glob.glob("/proc/[0-9]*"):
        try:
            if os.stat(entry).st_uid == os.getuid():
                count += len(os.listdir(f"{entry}/task"))
        except OSError:
            continue  # it has ended
    return count


def limited(test: Test, seconds: float) -> list[str]:
    """The prefix of a command that must do no harm. `seconds` of processor time for each process."""
    return [
        "prlimit",
        *([] if test.group in DATA_WITHOUT_END else [f"--data={DATA_MOST}"]),
        f"--fsize={FILE_MOST}",
        f"--cpu={int(seconds) + 1}:{int(seconds) + 3}",
        f"--nproc={processes_of_user() + PROCESSES_MORE}",
        "--core=0",
    ]


def end_of(status: int) -> str:
    if status == 0:
        return ""
    if status == -signal.SIGXCPU:
        return "time"
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def run(test: Test, root: Path, seconds: float = SECONDS_MOST) -> Outcome:
    """Runs it in a process group, of which nothing is left afterwards, and in a clean environment.

    `seconds` bound the processor time of each of its processes; the time on the clock may
    be twice as long.
    """
    with tempfile.TemporaryDirectory(dir=root / "build", prefix="tmp-") as folder:
        environment = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            # Relative, since Lua's messages cut long names of scripts.
            "TMPDIR": os.path.relpath(folder, root),
            "HAK_TEST_SCALE": str(
                SCALE["lua" if test.group.startswith("lua") else "core"]
            ),
            **test.environment,
        }
        begin = time.monotonic()
        with open(f"{folder}/output", "w+b") as output:
            process = subprocess.Popen(
                [*limited(test, seconds), *test.command],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            how: Optional[str] = None
            try:
                process.wait(timeout=2 * seconds)
            except subprocess.TimeoutExpired:
                how = "time"
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            status = process.wait()
            took = time.monotonic() - begin
            output.seek(0)
            text = output.read(FILE_MOST).decode(errors="replace")
    return Outcome(end_of(status) if how is None else how, took, text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the fast set of tests.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("groups", nargs="*", help="only these")
    options = parser.parse_args()
    tests = [
        test
        for test in all_tests(ROOT)
        if not options.groups or test.group in options.groups
    ]
    begin = time.monotonic()
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for test, outcome in zip(tests, pool.map(lambda test: run(test, ROOT), tests)):
            print(
                f"{str(test):44} {outcome.seconds:5.1f} s  {outcome.how or 'passed'}",
                flush=True,
            )
            if outcome.how:
                failed += 1
                print(outcome.output)
    took = time.monotonic() - begin
    print(f"{len(tests)} tests, {failed} failed, in {took:.1f} s")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
