"""The interpreters these tests run in: the one the package is built for, and every other CPython
from 3.9 on that this machine has with its headers. Each test runs programs in all of them."""

import functools
import glob
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A folder given has the package for $PYTHON, built already.
GIVEN = "HAK_BUILD" in os.environ
BUILD = ROOT / os.environ.get("HAK_BUILD", "build")
# The library of the sanitizer that the package in BUILD was built with for $PYTHON, if it was.
SANITIZER = os.environ.get("HAK_SANITIZER")

# For programs that take blocks and count them.
CHURN = """
import hakmem
def churn(n):
    return [{"a": i, "b": [i] * 5, "c": str(i) * 10, "d": bytes(i % 3000)} for i in range(n)]
def live():
    return hakmem.stats()["live_blocks"]
"""

PROBE = """
import os, sys, sysconfig
header = os.path.join(sysconfig.get_path("include"), "Python.h")
free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print("%d.%d" % sys.version_info[:2], os.path.exists(header), free_threaded, sys.executable)
"""


def candidates():
    yield os.environ.get("PYTHON", "/usr/bin/python3")
    if GIVEN:
        return
    for minor in range(9, 20):
        yield from (f"python3.{minor}", f"python3.{minor}t")
    yield ROOT / "build/free-threaded/bin/python3"
    for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"):
        if root:
            yield from sorted(glob.glob(f"{root}/versions/3.*/bin/python3"))


def interpreters():
    """{version: program}, the first found of each version; of free-threaded ones too, as "3.14t"."""
    found = {}
    for program in candidates():
        try:
            probe = subprocess.run(
                [program, "-c", PROBE], capture_output=True, text=True
            )
        except OSError:
            continue
        if probe.returncode:
            continue
        version, headers, free_threaded, program = probe.stdout.split()
        if tuple(map(int, version.split("."))) < (3, 9):
            continue
        if headers == "True":
            found.setdefault(version + "t" * (free_threaded == "True"), program)
    return found


FOUND = interpreters()
INTERPRETERS = {version: program for version, program in FOUND.items() if version[-1] != "t"}
FREE_THREADED = {version: program for version, program in FOUND.items() if version[-1] == "t"}


def pytest_report_header(config):
    return "CPython tested: " + ", ".join(
        f"{version} ({program})" for version, program in INTERPRETERS.items()
    )


class Python:
    """An interpreter with the package on its path."""

    def __init__(self, version, program):
        self.version = tuple(map(int, version.rstrip("t").split(".")))
        self.program = program
        self.package = BUILD / "python" / version

    def run(self, *arguments, status=0, env=None, cwd=None, input=None):
        """Runs it with these arguments, and checks the exit status."""
        clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.package)}
        if SANITIZER:
            # CPython itself gives not everything back.
            clean.update(LD_PRELOAD=SANITIZER, ASAN_OPTIONS="detect_leaks=0")
        ended = subprocess.run(
            [self.program, *map(str, arguments)],
            env={**clean, **(env or {})},
            cwd=cwd,
            input=input,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if status is not None:
            assert ended.returncode == status, ended.stdout + ended.stderr
        return ended

    def code(self, source, *flags, **options):
        """Runs a program given as text; returns what it printed."""
        return self.run(*flags, "-c", textwrap.dedent(source), **options).stdout


@functools.lru_cache(maxsize=None)
def built(version):
    """The interpreter of this version, with the package built for it."""
    program = FOUND[version]
    make = ["make", "-s", "python", f"PYTHON={program}"]
    if not GIVEN:
        subprocess.run(make, cwd=ROOT, check=True, stdout=sys.stderr)
    return Python(version, program)


@pytest.fixture(scope="session", params=INTERPRETERS)
def python(request):
    """Each interpreter in turn."""
    return built(request.param)


@pytest.fixture(scope="session")
def system_python():
    """The interpreter the package is built for: $PYTHON, or the system's."""
    return built(next(iter(INTERPRETERS)))
