"""What threads do with an allocator, in C: build/bench/threads-<allocator>, see bench/threads.c."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from .. import builds
from ..allocators import HAKMEM, PEERS
from ..child import Outcome
from ..metrics import PEAK_RSS, THROUGHPUT
from ..peers import LIBRARIES, missing_library
from ..suite import Suite
from .random_mixed import wrong_linkage

WORKLOADS = ("local", "pairs", "exchange", "bursts", "growth")
THREADS = (1, 2, 4)
QUICK_PERCENT = 10


class ThreadsSuite(Suite):
    """A case is what the threads do, and how many they are. hakmem is linked by its own names."""

    name = "threads"
    title = "what threads do with an allocator, by their number"
    metrics = (THROUGHPUT, PEAK_RSS)
    allocators = (HAKMEM, *PEERS)
    excluded = {
        "lua-default": "there is no Lua in it",
        "pymalloc": "there is no Python in it",
        "null": "blocks that nobody allocates cannot be handed over",
    }
    runs = 7
    pinned = False

    def cases(self) -> list[str]:
        return [f"{workload}-{count}" for workload in WORKLOADS for count in THREADS]

    def program(self, allocator: str) -> Path:
        return builds.folder(allocator, self.settings) / "bench" / f"threads-{allocator}"

    def missing(self, allocator: str) -> Optional[str]:
        program = self.program(allocator)
        if allocator in LIBRARIES and missing_library(allocator):
            return missing_library(allocator)
        if not program.is_file():
            return f"{allocator} is not built: there is no {program}; run `make`"
        return wrong_linkage(allocator, program)

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        workload, count = case.rsplit("-", 1)
        percent = QUICK_PERCENT if self.settings.quick else 100
        return [str(self.program(allocator)), workload, count, str(percent)]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        return {
            THROUGHPUT.name: outcome.required_number("mops"),
            PEAK_RSS.name: outcome.required_number("peak_rss_kib"),
        }
