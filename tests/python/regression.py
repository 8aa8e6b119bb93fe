#!/usr/bin/env python3
"""CPython's own tests with hakmem as the allocator from startup on, and without it.

    regression.py [--python PROGRAM] [--timeout S] [--quick] [NAME…]

How they are compared: comparison.py. Files that this version or this distribution of the tests does
not have are named at the end."""

import argparse
import sys
import time

import comparison

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

# Left out: it looks for the line of a crash report that names extension modules. From 3.15 on there must
# be none, and there hakmem's is one.
LISTS_MODULES = "test.test_faulthandler.FaultHandlerTests.test_dump_ext_modules"


def has(environment, name):
    """Whether this Python has the test file."""
    found = f"import importlib.util; print(importlib.util.find_spec('test.{name}') is not None)"
    return environment.code(found) == "True"


def verdicts_on(environment, name, timeout=180):
    """Yields what runs of a test file say: of one, or where stock hangs also of one without the
    tests it hangs in."""
    command = ["regrtest", name, "-u", "cpu,subprocess"]
    if name == "test_faulthandler":
        command += ["-i", LISTS_MODULES]
    while True:
        verdict = comparison.compare(environment, name, command, timeout)
        yield verdict
        hung = [test for test in verdict.hung() if test not in command]
        if not hung:
            return
        for test in hung:
            command += ["-i", test]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3", metavar="PROGRAM")
    parser.add_argument(
        "--timeout", type=float, default=180, metavar="S", help="of a test"
    )
    parser.add_argument(
        "--quick", action="store_true", help="those of about a minute only"
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args()

    folder = comparison.BUILD / "tests" / "python" / "regression"
    environment = comparison.Environment(chosen.python, folder)
    if not has(environment, "test_gc"):
        sys.exit(
            f"regression: {chosen.python} has no package `test` with CPython's tests;"
            " of Debian's it is in libpython3.x-testsuite"
        )
    begin = time.monotonic()
    verdicts, missing = [], []
    for name in chosen.names or (QUICK if chosen.quick else QUICK + MORE):
        if has(environment, name):
            for verdict in verdicts_on(environment, name, chosen.timeout):
                verdicts.append(verdict)
                print(verdict, flush=True)
        else:
            missing.append(name)
    if missing:
        print("not in this version:", " ".join(missing))
    print(
        "regression:",
        comparison.summary(environment, verdicts, time.monotonic() - begin),
    )
    sys.exit(any(verdict.different for verdict in verdicts) or not verdicts)


if __name__ == "__main__":
    main()
