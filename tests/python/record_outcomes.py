"""Runs one of CPython's own test files by CPython's own runner, and writes down what became of each
test method:

    record_outcomes.py FILE stock|hakmem NAME [RUNNER'S FLAGS…]

FILE gets a line for each event, at once, so that a crash or a hang leaves all that came before it.
Who is the allocator is checked in the process that runs the tests, before and after them.
"""

import os
import sys
import unittest

EVENTS = {
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


def record(note):
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

    for name, event in EVENTS.items():
        method = recording(getattr(unittest.TestResult, name), event)
        setattr(unittest.TestResult, name, method)
    unittest.TestResult.addSubTest = add_sub_test


def main(path, wanted, name, *flags):
    from test.libregrtest.main import main as run

    check_allocator(wanted)
    note = writer(path)
    record(note)
    sys.argv = ["regrtest", *flags, name]
    status = 0
    try:
        run()
    except SystemExit as end:
        status = end.code
    check_allocator(wanted)
    note("allocator", wanted)
    sys.exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
