"""Lua programs, each run by a fresh interpreter with another allocator under it."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path
from typing import Optional

from .. import builds, child, preload
from ..allocators import HAKMEM, PGO, PROFILES, VARIANTS, how_to_build, is_installed
from ..errors import MissingError, SampleError
from ..peers import LIBRARIES
from ..settings import ROOT
from .program import ProgramSuite

HARNESS = ROOT / "bench" / "lua" / "harness.lua"
# Every round meets the collector at another phase; all allocators of a round at the same.
SHIFT_STEP = 4093
QUICK_SCALE = "0.08"
TELL = (
    "local h = require 'hakmem' "
    "print(('{\"build\": \"%s\", \"profile\": \"%s\"}'):format(h.build, h.profile()))"
)
JIT = "jit"
TELL_VERSION = f"io.write(jit and '{JIT}' or _VERSION:match('%d+%.%d+'))"
OWN_ALLOCATOR = "LuaJIT brings an allocator of its own, which lua-default is"
READ_MAPS = "io.write(io.open('/proc/self/maps'):read('*a'))"


class LuaSuite(ProgramSuite):
    """A case is a program of bench/lua, run by the interpreter given with --lua.

    The time is the processor time of the whole process, so that the start and the
    exit of the interpreter count too.
    """

    name = "lua"
    title = "Lua programs, from the interpreter's start to its exit"
    on_request = (*PROFILES[1:], *VARIANTS)
    runs = 7

    @property
    def wanted(self) -> str:
        """The interpreter's name or path."""
        return self.settings.lua

    @cached_property
    def interpreter(self) -> str:
        """The path of the interpreter. Raises MissingError."""
        path = shutil.which(self.wanted)
        if path is None:
            raise MissingError(
                f"there is no Lua interpreter {self.wanted}: install it "
                "(Debian's packages have the names lua5.4 and luajit)"
            )
        return path

    @cached_property
    def version(self) -> str:
        """The version of Lua, or JIT."""
        ask = [self.interpreter, "-e", TELL_VERSION]
        return child.run(ask, child.clean_environment()).stdout

    @property
    def peers(self) -> tuple[str, ...]:
        """What can be preloaded under the interpreter."""
        return () if self.version == JIT else tuple(LIBRARIES)

    @property
    def allocators(self) -> tuple[str, ...]:
        return (HAKMEM, "lua-default", *self.peers)

    @property
    def excluded(self) -> dict[str, str]:
        return {
            "system": "it is what lua-default runs on",
            "null": "a Lua program cannot run without an allocator",
            "pymalloc": "there is no Python in it",
            **({name: OWN_ALLOCATOR for name in preload.ALL} if not self.peers else {}),
        }

    def modules(self, allocator: str) -> Path:
        """Where the modules of a hakmem for this version of Lua are built."""
        return builds.folder(allocator, self.settings) / "lua" / self.version

    def cases(self) -> list[str]:
        ask = [self.interpreter, str(HARNESS), "--list"]
        return child.run(ask, child.clean_environment()).stdout.split()

    def missing(self, allocator: str) -> Optional[str]:
        if allocator in preload.ALL:
            return preload.missing(allocator, self.settings, self.map_reader)
        return self.missing_module(allocator) if is_installed(allocator) else None

    def missing_module(self, allocator: str) -> Optional[str]:
        """Why a hakmem's module cannot be loaded and measured, or None when it can."""
        load = [self.interpreter, "-l", "hakmem.auto", "-e", TELL]
        try:
            return builds.refusal(
                allocator, self.settings, load, self.environment(allocator)
            )
        except SampleError as error:
            only = " (for Lua 5.4 only)" if allocator == PGO else ""
            return (
                f"{allocator} has no Lua module in {self.modules(allocator)}: "
                f"run `{how_to_build(allocator)}`{only}\n{error}"
            )

    @property
    def map_reader(self) -> tuple[str, ...]:
        """Lets the interpreter itself tell which libraries it has mapped."""
        return (self.interpreter, "-e", READ_MAPS)

    def start(self, allocator: str) -> list[str]:
        """The interpreter, with hakmem installed where that is the allocator."""
        return [self.interpreter, *(["-l", "hakmem.auto"] if is_installed(allocator) else [])]

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        scale = QUICK_SCALE if self.settings.quick else "1"
        shift = str(round_number * SHIFT_STEP)
        return [*self.start(allocator), str(HARNESS), case, scale, shift]

    def environment(self, allocator: str) -> dict[str, str]:
        environment = super().environment(allocator)
        environment.update(preload.variables(allocator, self.settings, self.map_reader))
        if is_installed(allocator):
            environment["LUA_CPATH"] = f"{self.modules(allocator)}/?.so;;"
        return environment


class LuaJITSuite(LuaSuite):
    """The same programs, run by LuaJIT."""

    name = "luajit"
    title = "the Lua programs on LuaJIT"

    @property
    def wanted(self) -> str:
        return "luajit"
