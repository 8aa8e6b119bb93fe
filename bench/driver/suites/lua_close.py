"""Closing a Lua state that holds 200 MB of small objects.

build/bench/lua_close (see bench/lua_close.c) builds the state and times its end:
hak_lua_close for hakmem, lua_close for everybody else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from .. import builds, preload
from ..allocators import BUILDS, HAKMEM, how_to_build, is_installed
from ..child import Outcome
from ..errors import SampleError
from ..metrics import CLOSE_TIME
from ..peers import LIBRARIES, missing_library
from ..suite import Suite

MIB = 200


class LuaCloseSuite(Suite):
    """One case: a state full of tables, strings and closures."""

    name = "lua-close"
    title = f"closing a Lua state that holds {MIB} MiB of small objects"
    metrics = (CLOSE_TIME,)
    silent_metrics = ()
    allocators = (HAKMEM, "lua-default", *LIBRARIES)
    on_request = BUILDS
    excluded = {
        "system": "it is what lua-default runs on",
        "null": "a Lua state cannot be without an allocator",
        "pymalloc": "there is no Python in it",
    }
    runs = 7

    executable = "lua_close"
    least = "1"  # of its argument

    def program(self, allocator: str) -> Path:
        return builds.folder(allocator, self.settings) / "bench" / self.executable

    def cases(self) -> list[str]:
        return [f"state-{MIB}mb"]

    def missing(self, allocator: str) -> Optional[str]:
        program = self.program(allocator)
        if not program.is_file():
            return f"there is no {program}; run `{how_to_build(allocator)}`"
        if is_installed(allocator):
            return self.wrong_build(allocator)
        return missing_library(allocator) if allocator in LIBRARIES else None

    def wrong_build(self, allocator: str) -> Optional[str]:
        """Why a hakmem must not be measured under its name, or None."""
        once = [*self.start(allocator), self.least]
        try:
            return builds.refusal(
                allocator, self.settings, once, self.environment(allocator)
            )
        except SampleError as error:
            return str(error)

    def start(self, allocator: str) -> list[str]:
        """The program, and who allocates in it."""
        who = "hakmem" if is_installed(allocator) else "peer"
        if allocator == "lua-default":
            who = "stock"
        return [str(self.program(allocator)), who]

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        return [*self.start(allocator), str(MIB)]

    def environment(self, allocator: str) -> dict[str, str]:
        return {**super().environment(allocator), **preload.variables(allocator, self.settings)}

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        return {CLOSE_TIME.name: outcome.required_number("close_s")}
