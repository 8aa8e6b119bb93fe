"""What takes a whole heap: a snapshot of its statistics, and the switch of its profile.

build/bench/whole_heap (see bench/whole_heap.c) does each once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from .. import builds
from ..allocators import ALL, HAKMEM, how_to_build
from ..child import Outcome
from ..metrics import GIVEN, TIME_MS
from ..suite import Suite

# The case's name, what is done, and MiB.
CASES = {"snapshot-1gb": ("snapshot", 1024), "speed-to-lean-500mb": ("switch", 500)}


class WholeHeapSuite(Suite):
    """Statistics of 1 GB of 64-byte blocks; from speed to lean with 500 MB retained."""

    name = "whole-heap"
    title = "what takes a whole heap"
    metrics = (TIME_MS,)
    silent_metrics = (GIVEN,)
    allocators = (HAKMEM,)
    excluded = {other: "nothing in it is asked of peers" for other in ALL if other != HAKMEM}
    runs = 7

    @property
    def program(self) -> Path:
        return builds.folder(HAKMEM, self.settings) / "bench" / "whole_heap"

    def cases(self) -> list[str]:
        return list(CASES)

    def missing(self, allocator: str) -> Optional[str]:
        if self.program.is_file():
            return None
        return f"there is no {self.program}; run `{how_to_build(allocator)}`"

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        what, mib = CASES[case]
        return [str(self.program), what, str(mib)]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        return {
            TIME_MS.name: outcome.required_number("ms"),
            GIVEN.name: outcome.printed().get("given_percent"),
        }
