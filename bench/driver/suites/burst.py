"""What stays resident after bursts in a long-lived Python process."""

from __future__ import annotations

import statistics
from typing import Optional

from ..allocators import HAKMEM, LIBRARIES, SYSTEM
from ..child import Outcome
from ..metrics import AFTER_RSS, PEAK_RSS, TIME
from ..settings import ROOT
from .python import PythonSuite

PROGRAM = ROOT / "bench" / "python" / "burst.py"


class BurstSuite(PythonSuite):
    """One case: 20 bursts of rows, a few sessions that live on, small requests between.

    The RSS after a burst is the median over the bursts of a process.
    """

    name = "burst"
    title = "a Python process that serves bursts of 360 MB; RSS one second after each"
    metrics = (AFTER_RSS, PEAK_RSS, TIME)
    # The first is the one that the others are compared with.
    allocators = ("hakmem-balanced", "hakmem-speed", "hakmem-lean", "pymalloc", *LIBRARIES)
    on_request = (HAKMEM, SYSTEM)
    runs = 3
    bursts, rows = 20, 250_000
    quick_runs, quick_bursts, quick_rows = 1, 2, 25_000

    def cases(self) -> list[str]:
        self.interpreter  # there must be one
        return ["rows"]

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        bursts, rows = self.bursts, self.rows
        if self.settings.quick:
            bursts, rows = self.quick_bursts, self.quick_rows
        return [self.interpreter, str(PROGRAM), str(bursts), str(rows)]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        after = outcome.printed().get("after_rss_kib")
        if not isinstance(after, list) or not after:
            raise outcome.error("it printed no RSS after its bursts")
        return {
            AFTER_RSS.name: statistics.median(after),
            PEAK_RSS.name: outcome.required_number("peak_rss_kib"),
            TIME.name: outcome.cpu,
        }
