"""Ten thousand Lua states at once: memory for each, and the time to make and close one.

build/bench/lua_states (see bench/lua_states.c) makes them, each with the standard
libraries and a small script, and closes them again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from ..allocators import (
    HAKMEM,
    LIBRARIES,
    PROFILES,
    READ_MAPS,
    mapped_path,
    missing_library,
)
from ..child import Outcome
from ..metrics import STATE_MEMORY, STATE_TIME
from ..suite import Suite

STATES = 10_000
QUICK_STATES = 2_000


class LuaStatesSuite(Suite):
    """One case: a host that keeps very many small states."""

    name = "lua-states"
    title = "many small Lua states at once: each one's memory, and the time to make and close it"
    metrics = (STATE_MEMORY, STATE_TIME)
    silent_metrics = ()
    allocators = (HAKMEM, "lua-default", *LIBRARIES)
    on_request = PROFILES[1:]
    excluded = {
        "system": "it is what lua-default runs on",
        "null": "a Lua state cannot be without an allocator",
        "pymalloc": "there is no Python in it",
    }
    runs = 7

    @property
    def program(self) -> Path:
        return self.settings.build / "bench" / "lua_states"

    @property
    def states(self) -> int:
        return QUICK_STATES if self.settings.quick else STATES

    def cases(self) -> list[str]:
        return [f"states-{self.states}"]

    def missing(self, allocator: str) -> Optional[str]:
        if not self.program.is_file():
            return f"there is no {self.program}; run `make`"
        return missing_library(allocator) if allocator in LIBRARIES else None

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        who = "hakmem" if allocator in PROFILES else "peer"
        if allocator == "lua-default":
            who = "stock"
        return [str(self.program), who, str(self.states)]

    def environment(self, allocator: str) -> dict[str, str]:
        environment = super().environment(allocator)
        if allocator in LIBRARIES:
            environment["LD_PRELOAD"] = str(mapped_path(LIBRARIES[allocator], READ_MAPS))
        return environment

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        make, close = (outcome.required_number(f"{what}_us") for what in ("make", "close"))
        return {
            STATE_MEMORY.name: outcome.required_number("state_kib"),
            STATE_TIME.name: make + close,
        }
