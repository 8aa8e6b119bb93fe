"""Ten thousand Lua states at once: memory for each, and the time to make and close one.

build/bench/lua_states (see bench/lua_states.c) makes them, each with the standard
libraries and a small script, and closes them again; then a tenth as many, each closed
before the next is made.
"""

from __future__ import annotations

from typing import Optional

from ..allocators import BUILDS, PROFILES
from ..child import Outcome
from ..metrics import STATE_CHURN, STATE_MEMORY, STATE_TIME
from .lua_close import LuaCloseSuite

STATES = 10_000
QUICK_STATES = 2_000


class LuaStatesSuite(LuaCloseSuite):
    """One case: a host that keeps very many small states."""

    name = "lua-states"
    title = "many small Lua states at once: each one's memory, and the time to make and close it"
    metrics = (STATE_MEMORY, STATE_TIME, STATE_CHURN)
    on_request = (*PROFILES[1:], *BUILDS)
    executable = "lua_states"
    least = "10"

    @property
    def states(self) -> int:
        return QUICK_STATES if self.settings.quick else STATES

    def cases(self) -> list[str]:
        return [f"states-{self.states}"]

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        return [*self.start(allocator), str(self.states)]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        make, close = (outcome.required_number(f"{what}_us") for what in ("make", "close"))
        return {
            STATE_MEMORY.name: outcome.required_number("state_kib"),
            STATE_TIME.name: make + close,
            STATE_CHURN.name: outcome.required_number("churn_us"),
        }
