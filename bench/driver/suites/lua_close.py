"""Closing a Lua state that holds 200 MB of small objects.

build/bench/lua_close (see bench/lua_close.c) builds the state and times its end:
hak_lua_close for hakmem, lua_close for everybody else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from ..allocators import (
    HAKMEM,
    LIBRARIES,
    READ_MAPS,
    mapped_path,
    missing_library,
)
from ..child import Outcome
from ..metrics import CLOSE_TIME
from ..suite import Suite

MIB = 200


class LuaCloseSuite(Suite):
    """One case: a state full of tables, strings and closures."""

    name = "lua-close"
    title = f"closing a Lua state that holds {MIB} MiB of small objects"
    metrics = (CLOSE_TIME,)
    silent_metrics = ()
    allocators = (HAKMEM, "lua-default", *LIBRARIES)
    on_request = ()
    excluded = {
        "system": "it is what lua-default runs on",
        "null": "a Lua state cannot be without an allocator",
        "pymalloc": "there is no Python in it",
    }
    runs = 7

    @property
    def program(self) -> Path:
        return self.settings.build / "bench" / "lua_close"

    def cases(self) -> list[str]:
        return [f"state-{MIB}mb"]

    def missing(self, allocator: str) -> Optional[str]:
        if not self.program.is_file():
            return f"there is no {self.program}; run `make`"
        return missing_library(allocator) if allocator in LIBRARIES else None

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        who = {HAKMEM: "hakmem", "lua-default": "stock"}.get(allocator, "peer")
        return [str(self.program), who, str(MIB)]

    def environment(self, allocator: str) -> dict[str, str]:
        environment = super().environment(allocator)
        if allocator in LIBRARIES:
            environment["LD_PRELOAD"] = str(mapped_path(LIBRARIES[allocator], READ_MAPS))
        return environment

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        return {CLOSE_TIME.name: outcome.required_number("close_s")}
