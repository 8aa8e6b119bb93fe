"""Runs tests by one of their runners, and writes down what became of each:

    run_recorded.py FILE stock|hakmem regrtest NAME [FLAG…]   a file of CPython's own tests
    run_recorded.py FILE stock|hakmem pytest ARGUMENT…
    run_recorded.py FILE stock|hakmem script PATH [ARGUMENT…]

FILE gets a line for each event, at once, so that a crash or a hang leaves all that came before it.
Who is the allocator is checked in the process that runs the tests, before and after them.
"""

import os
import runpy
import sys
import unittest

UNITTEST_EVENTS = {
    "startTest": "started",
    "addSuccess": "passed",
    "addExpectedFailure": "passed",
    "addUnexpectedSuccess": "failed",
    "addFailure": "failed",
    "addError": "failed",
    "addSkip": "skipped",
}


def check_allocator(wanted):
    if wanted == "stock":
        assert "hakmem" not in sys.modules, "hakmem is loaded in the stock run"
        return
    hakmem = sys.modules.get("hakmem")
    assert hakmem, "hakmem was not loaded at startup"
    assert set(hakmem.installed()) == {"mem", "obj"}, hakmem.installed()
    before = hakmem.stats()["live_blocks"]
    kept = [bytes(100) for _ in range(10_000)]  # many, beside what is freed meanwhile
    assert hakmem.stats()["live_blocks"] > before + 5_000, "objects are not ours"
    del kept


def writer(path):
    """A function that adds a line to the file."""
    # Taken now, since tests replace them. The file is opened for each line: tests count and close
    # file descriptors. Forked children have events too, which are not the tests'.
    open_, write, close, getpid = os.open, os.write, os.close, os.getpid
    path, pid = os.path.abspath(path), getpid()

    def note(event, what):
        if getpid() == pid:
            line = f"{event}\t{what}".replace("\n", " ") + "\n"
            file = open_(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            write(file, line.encode(errors="backslashreplace"))
            close(file)

    return note


def record_unittest(note):
    """Makes every unittest result, of whatever class, note its events."""

    def recording(method, event):
        def recorded(self, test, *rest):
            whole = getattr(test, "test_case", test)  # of a subtest
            note(event, whole.id())
            return method(self, test, *rest)

        return recorded

    def add_sub_test(self, test, subtest, error, method=unittest.TestResult.addSubTest):
        if error is not None:
            note("failed", test.id())
        return method(self, test, subtest, error)

    for name, event in UNITTEST_EVENTS.items():
        method = recording(getattr(unittest.TestResult, name), event)
        setattr(unittest.TestResult, name, method)
    unittest.TestResult.addSubTest = add_sub_test


def run_regrtest(note, name, *flags):
    from test.libregrtest.main import main as run

    record_unittest(note)
    sys.argv = ["regrtest", *flags, name]
    try:
        run()
    except SystemExit as end:
        return end.code


class PytestRecorder:
    """A plugin of pytest."""

    def __init__(self, note):
        self.note = note

    def pytest_collectreport(self, report):
        if report.failed:
            self.note("failed", report.nodeid)

    def pytest_runtest_logstart(self, nodeid):
        self.note("started", nodeid)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.note("failed", report.nodeid)
        elif report.skipped and not hasattr(report, "wasxfail"):
            self.note("skipped", report.nodeid)
        elif report.skipped or report.when == "call":
            self.note("passed", report.nodeid)


def run_pytest(note, *arguments):
    import pytest

    flags = ["-q", "-p", "no:cacheprovider"]
    return int(pytest.main([*flags, *arguments], plugins=[PytestRecorder(note)]))


def run_script(note, path, *arguments):
    note("started", path)
    sys.path.insert(0, os.path.dirname(path))
    sys.argv = [path, *arguments]
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    note("passed", path)
    return 0


def main(path, wanted, runner, *arguments):
    run = {"regrtest": run_regrtest, "pytest": run_pytest, "script": run_script}[runner]
    check_allocator(wanted)
    note = writer(path)
    status = run(note, *arguments)
    check_allocator(wanted)
    note("allocator", wanted)
    sys.exit(status)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, which none of the tests should see
    main(*sys.argv[1:])
