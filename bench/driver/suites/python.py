"""Python programs, each run by a fresh interpreter with another allocator under it."""

from __future__ import annotations

import re
import shutil
from functools import cached_property
from pathlib import Path
from typing import Optional

from .. import builds, child, preload
from ..allocators import (
    PROFILES,
    SYSTEM,
    VARIANTS,
    is_installed,
)
from ..errors import MissingError, SampleError
from ..peers import LIBRARIES
from ..settings import ROOT
from ..suite import Suite
from .program import ProgramSuite

HARNESS = ROOT / "bench" / "python" / "harness.py"
QUICK_SCALE = "0.05"
READ_MAPS = "print(open('/proc/self/maps').read())"
TELL = (
    "import hakmem, json; hakmem.install(); "
    "print(json.dumps({'build': hakmem.build, 'profile': hakmem.profile()}))"
)
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


class PythonSuite(Suite):
    """What suites share whose samples are run by the interpreter given with --python.

    hakmem is installed by the first lines of the script, so that its import counts.
    The other allocators are preloaded, with PYTHONMALLOC=malloc, so that objects come
    from them and not from pymalloc.
    """

    allocators = (PROFILES[0], "pymalloc", *LIBRARIES)
    on_request = (SYSTEM, *PROFILES[1:], *VARIANTS)
    excluded = {
        "null": "a Python program cannot run without an allocator",
        "lua-default": "there is no Lua in it",
    }

    @cached_property
    def interpreter(self) -> str:
        """The path of the interpreter. Raises MissingError."""
        name = self.settings.python
        path = shutil.which(name)
        if path is None:
            raise MissingError(f"there is no Python interpreter {name}")
        if not re.fullmatch(r"3\.\d+", version_of(path)):
            raise MissingError(f"{path} is no working interpreter of Python 3")
        return path

    @cached_property
    def version(self) -> str:
        """The version of CPython."""
        return version_of(self.interpreter)

    def package(self, allocator: str) -> Path:
        """Where the package of a hakmem for this version of CPython is built."""
        return builds.folder(allocator, self.settings) / "python" / self.version

    def missing(self, allocator: str) -> Optional[str]:
        if allocator in preload.ALL:
            return preload.missing(allocator, self.settings, self.map_reader)
        return self.missing_package(allocator) if is_installed(allocator) else None

    def missing_package(self, allocator: str) -> Optional[str]:
        """Why a hakmem cannot be installed and measured, or None when it can."""
        install = [self.interpreter, "-c", TELL]
        try:
            return builds.refusal(
                allocator, self.settings, install, self.environment(allocator)
            )
        except SampleError as error:
            target = VARIANTS.get(allocator, "make python")
            return (
                f"{allocator} has no package in {self.package(allocator)}: run "
                f"`{target} PYTHON={self.interpreter}`\n{error}"
            )

    @property
    def map_reader(self) -> tuple[str, ...]:
        """Lets the interpreter itself tell which libraries it has mapped."""
        return (self.interpreter, "-c", READ_MAPS)

    def environment(self, allocator: str) -> dict[str, str]:
        environment = super().environment(allocator)
        # The same order of sets and the same collisions for everybody.
        environment["PYTHONHASHSEED"] = "0"
        if allocator in (SYSTEM, *preload.ALL):
            environment["PYTHONMALLOC"] = "malloc"
        environment.update(preload.variables(allocator, self.settings, self.map_reader))
        if is_installed(allocator):
            environment["PYTHONPATH"] = str(self.package(allocator))
            environment["HAKMEM_PYTHON"] = "1"
        return environment


def version_of(interpreter: str) -> str:
    """What an interpreter says its version is; nothing if it says nothing."""
    try:
        ask = [interpreter, "-c", VERSION]
        return child.run(ask, child.clean_environment()).stdout.strip()
    except SampleError:
        return ""


class PythonPrograms(ProgramSuite, PythonSuite):
    """A case is a program of a folder in bench/python.

    The time is the processor time of the whole process, so that the start and the
    exit of the interpreter count too.
    """

    runs = 7
    folder: str

    def cases(self) -> list[str]:
        ask = [self.interpreter, str(HARNESS), self.folder, "--list"]
        return child.run(ask, child.clean_environment()).stdout.split()

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        scale = QUICK_SCALE if self.settings.quick else "1"
        return [self.interpreter, str(HARNESS), self.folder, case, scale]


class PythonChurnSuite(PythonPrograms):
    """Programs made of object creation."""

    name = "python-churn"
    title = "Python programs made of object creation, from start to exit"
    folder = "churn"


class PythonProgramsSuite(PythonPrograms):
    """Programs most of whose time is not allocation."""

    name = "python"
    title = "Python programs as people write them, from start to exit"
    folder = "programs"
