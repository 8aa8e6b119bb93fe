#!/usr/bin/env python3
"""CPython's own tests with hakmem as the allocator from startup on, and without it.

    regression.py [--python PROGRAM] [--timeout S] [--quick] [NAME…]

Each test file runs once stock and once on hakmem, side by side so that both meet the same load. What
counts is each test method: none may fail on hakmem that does not fail stock. Where something
differs, the file runs up to twice more, both ways; what differs every time is a difference, the rest
is called unsteady. A crash on hakmem counts at once.

Both run in the same virtual environment, which `python -m hakmem.startup enable` was applied to, so
that child processes have hakmem too; they differ by HAKMEM_PYTHON=1 only. The package must have been
built (make python)."""

import argparse
import collections
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / os.environ.get("HAK_BUILD", "build")

# About a minute, together. test_capi and some others are not in every distribution of the tests.
QUICK = """
    test_gc test_list test_tuple test_dict test_set test_unicode test_bytes test_bytearray
    test_array test_memoryview test_float test_int test_decimal test_deque test_ordered_dict
    test_weakref test_descr test_class test_frame test_exceptions test_generators test_coroutines
    test_itertools test_functools test_re test_json test_pickle test_copy test_sys test_thread
    test_tracemalloc test_capi
""".split()
MORE = """
    test_str test_io test_memoryio test_picklebuffer test_struct test_collections test_heapq
    test_sort test_long test_code test_types test_zlib test_bz2 test_lzma test_hashlib test_csv
    test_ast test_compile test_marshal test_ctypes test_mmap test_buffer test_queue test_contextlib
    test_dataclasses test_enum test_xml_etree test_xml_etree_c test_pyexpat test_sqlite3
    test_threading test_threading_local test_subprocess test_faulthandler
    test_fork1 test_embed test_atexit test_audit test_threadsignals test_signal
    test_multiprocessing_fork test_multiprocessing_spawn test_multiprocessing_forkserver
    test_asyncio test__xxsubinterpreters test__interpreters test_interpreters
""".split()

# outcomes: {test: outcome}; ended: the runner's exit status, or else a text that says how
Run = collections.namedtuple("Run", "outcomes ended seconds")


class Environment:
    """A virtual environment with hakmem in it, switched on by HAKMEM_PYTHON=1."""

    def __init__(self, program, folder=BUILD / "tests" / "python" / "regression"):
        self.version = subprocess.run(
            [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        self.folder = folder / self.version
        self.program = self.folder / "venv" / "bin" / "python"
        package = BUILD / "python" / self.version / "hakmem"
        if not package.exists():
            sys.exit(f"regression: no {package}; run: make python PYTHON={program}")
        venv = [program, "-m", "venv", "--clear", "--without-pip", self.folder / "venv"]
        subprocess.run(venv, check=True)
        site = self.code("import sysconfig; print(sysconfig.get_path('purelib'))")
        shutil.copytree(package, Path(site) / "hakmem")
        self.code("import hakmem.startup; hakmem.startup.enable()")
        self.check()

    def environ(self, allocator):
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
        environ = {name: os.environ[name] for name in kept if name in os.environ}
        return {**environ, "HAKMEM_PYTHON": "1"} if allocator == "hakmem" else environ

    def code(self, source, *flags, allocator="stock"):
        """Runs a program given as text; returns what it printed."""
        return subprocess.run(
            [self.program, *flags, "-c", source],
            env=self.environ(allocator),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()

    def check(self):
        """That the allocator is what this program takes it for, in child processes too."""
        child = "import sys; print('hakmem' in sys.modules and len(sys.modules['hakmem'].installed()))"
        parent = f"import subprocess, sys; {child}; sys.stdout.flush(); subprocess.run([sys.executable, '-c', {child!r}])"
        for flags in [], ["-E"], ["-I"]:
            assert self.code(parent, *flags).split() == ["False", "False"]
            ours = self.code(parent, *flags, allocator="hakmem").split()
            assert ours == ["2", "2"], ours

    def has(self, name):
        found = f"import importlib.util; print(importlib.util.find_spec('test.{name}') is not None)"
        return self.code(found) == "True"


def read_outcomes(path):
    """{test: the worst of its outcomes}, and the allocator that was found at the end, if any."""
    order = ["started", "passed", "skipped", "failed"]
    outcomes, allocator = {}, None
    for line in path.read_text().splitlines() if path.exists() else ():
        event, what = line.split("\t", 1)
        if event == "allocator":
            allocator = what
        else:
            outcomes[what] = max(outcomes.get(what, "started"), event, key=order.index)
    return outcomes, allocator


class Process:
    """A test file that is running."""

    def __init__(self, environment, name, allocator, timeout):
        self.allocator, self.timeout = allocator, timeout
        self.outcomes = environment.folder / f"{name}.{allocator}.outcomes"
        self.outcomes.unlink(missing_ok=True)
        recorder = [HERE / "record_outcomes.py", self.outcomes, allocator, name]
        self.begin = time.monotonic()
        with open(environment.folder / f"{name}.{allocator}.log", "wb") as log:
            self.process = subprocess.Popen(
                [environment.program, *recorder, "-u", "cpu,subprocess"],
                env=environment.environ(allocator),
                cwd=environment.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end(self):
        """Waits for it; returns the Run."""
        try:
            left = self.begin + self.timeout - time.monotonic()
            ended = self.process.wait(max(left, 0.1))
        except subprocess.TimeoutExpired:
            ended = "timeout"
        seconds = time.monotonic() - self.begin
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # also what a test left behind
        except ProcessLookupError:
            pass
        self.process.wait()
        outcomes, allocator = read_outcomes(self.outcomes)
        if ended != "timeout" and ended < 0:
            ended = signal.Signals(-ended).name
        elif ended != "timeout" and allocator != self.allocator:
            ended = f"status {ended} before the allocator was checked at the end"
        return Run(outcomes, ended, seconds)


def crashed(run):
    return not isinstance(run.ended, int) and run.ended != "timeout"


def differences(stock, ours):
    """{test: what became of it on hakmem} where that is worse; of the whole file under ""."""
    worse = {}
    for test, outcome in ours.outcomes.items():
        before = stock.outcomes.get(test, "not run")
        # What stock did not finish cannot be compared; a skip must not hide what passes stock.
        if outcome == "failed" and before not in ("failed", "started"):
            worse[test] = f"failed, {before} stock"
        elif outcome in ("started", "skipped") and before == "passed":
            worse[test] = f"{outcome}, passed stock"
    if stock.ended == "timeout" and ours.ended == "timeout":
        return worse  # a test that hangs; see what is called unfinished
    for test in stock.outcomes.keys() - ours.outcomes.keys():
        if stock.outcomes[test] == "passed":
            worse[test] = "not run, passed stock"
    if ours.ended != stock.ended and ours.ended != 0:
        worse[""] = f"{ours.ended} on hakmem, {stock.ended} stock"
    return worse


class Verdict:
    """What the runs of one file say together."""

    def __init__(self, name):
        self.name = name
        self.runs = []
        self.different, self.unsteady = {}, {}

    def add(self, stock, ours):
        """Takes another pair of runs in; returns whether one more is needed."""
        self.runs.append((stock, ours))
        found = differences(stock, ours)
        if len(self.runs) == 1:
            self.different = dict(found)
        for test in self.different.keys() - found.keys():
            self.unsteady[test] = self.different.pop(test)
        if crashed(ours) and not crashed(stock):
            self.different[""] = found[""]
            return False
        return bool(self.different) and len(self.runs) < 3

    def count(self, outcome):
        """How many tests had this outcome both ways."""
        stock, ours = (run.outcomes for run in self.runs[-1])
        return sum(ours.get(test) == was == outcome for test, was in stock.items())

    def __str__(self):
        stock, ours = self.runs[-1]
        text = f"{self.name}: {self.count('passed')} passed"
        for outcome in ("failed", "skipped"):
            if self.count(outcome):
                text += f", {self.count(outcome)} {outcome} both ways"
        if not stock.outcomes and not ours.outcomes:
            text += " (the file skips itself)" if stock.ended == ours.ended else ""
        text += f", {stock.seconds:.1f} s stock, {ours.seconds:.1f} s"
        if stock.ended == "timeout":
            hung = [test for test, was in stock.outcomes.items() if was == "started"]
            text += f"; stock hangs in {', '.join(hung)}: what it finished is compared"
        if len(self.runs) > 1:
            text += f"; run {len(self.runs)} times"
        for test, what in self.unsteady.items():
            text += f"\n    unsteady: {test or 'the file'}: {what}"
        for test, what in self.different.items():
            text += f"\n    DIFFERS: {test or 'the file'}: {what}"
        return text


def compare(environment, name, timeout):
    """Runs a test file both ways, as often as it takes."""
    verdict = Verdict(name)
    more = True
    while more:
        pair = [Process(environment, name, who, timeout) for who in ("stock", "hakmem")]
        more = verdict.add(*(process.end() for process in pair))
    return verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3", metavar="PROGRAM")
    parser.add_argument(
        "--timeout", type=float, default=600, metavar="S", help="of a file's run"
    )
    parser.add_argument(
        "--quick", action="store_true", help="those of about a minute only"
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args()

    environment = Environment(chosen.python)
    if not environment.has("test_gc"):
        sys.exit(
            f"regression: {chosen.python} has no package `test` with CPython's tests;"
            " of Debian's it is in libpython3.x-testsuite"
        )
    begin = time.monotonic()
    verdicts, missing = [], []
    for name in chosen.names or (QUICK if chosen.quick else QUICK + MORE):
        if environment.has(name):
            verdicts.append(compare(environment, name, chosen.timeout))
            print(verdicts[-1], flush=True)
        else:
            missing.append(name)
    if missing:
        print("not in this version:", " ".join(missing))
    different = sum(len(verdict.different) for verdict in verdicts)
    print(
        f"regression: CPython {environment.code('import sys; print(sys.version.split()[0])')},"
        f" {len(verdicts)} files, {time.monotonic() - begin:.0f} s:"
        f" {sum(verdict.count('passed') for verdict in verdicts)} tests passed,"
        f" {sum(verdict.count('failed') for verdict in verdicts)} failed both ways,"
        f" {sum(len(verdict.unsteady) for verdict in verdicts)} unsteady,"
        f" {different} differ"
    )
    sys.exit(1 if different or not verdicts else 0)


if __name__ == "__main__":
    main()
