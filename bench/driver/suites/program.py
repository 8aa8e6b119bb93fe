"""What the harnesses of bench/lua and bench/python report of a program."""

from __future__ import annotations

from typing import Optional

from ..child import Outcome
from ..metrics import END_RSS, OS_CALLS, PEAK_RSS, TIME, WALL
from ..suite import Suite


class ProgramSuite(Suite):
    """A suite whose samples print a harness's line of JSON."""

    metrics = (TIME, PEAK_RSS, OS_CALLS)
    silent_metrics = (WALL, END_RSS)

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        if outcome.printed().get("case") != case:
            raise outcome.error(f"it did not run the case {case}")
        return {
            TIME.name: outcome.cpu,
            WALL.name: outcome.wall,
            PEAK_RSS.name: outcome.required_number("peak_rss_kib"),
            END_RSS.name: outcome.required_number("end_rss_kib"),
            OS_CALLS.name: outcome.number("os_calls"),
        }
