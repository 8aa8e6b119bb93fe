"""One binary, with another allocator preloaded each time: nothing else differs, its layout neither."""

from __future__ import annotations

from typing import Optional

from .. import preload
from ..child import Outcome
from ..metrics import MINOR_FAULTS, PEAK_RSS, THROUGHPUT
from .preloaded import PreloadedSuite

# The case's name, the program, and its arguments; of which the last is what quick runs do less of.
CASES = {
    "ws400": ("random_mixed-system", "--ws 400 --seed {round} --ops", 20_000_000, 10_000_000),
    "ws4000": ("random_mixed-system", "--ws 4000 --seed {round} --ops", 20_000_000, 10_000_000),
    "small-scale": ("small_scale", "{round}", 50, 10),
}


class PreloadMixedSuite(PreloadedSuite):
    """Blocks of 16 to 1,024 B, as in random-mixed; and the small-scale comparison, 8 B to 1 MB."""

    name = "preload-mixed"
    title = "one binary, its allocator preloaded"
    metrics = (THROUGHPUT, PEAK_RSS, MINOR_FAULTS)
    runs = 10

    def cases(self) -> list[str]:
        return list(CASES)

    def environment(self, allocator: str) -> dict[str, str]:
        return {**super().environment(allocator), **preload.variables(allocator, self.settings)}

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        program, arguments, usual, quick = CASES[case]
        return [
            str(self.settings.build / "bench" / program),
            *arguments.format(round=round_number).split(),
            str(quick if self.settings.quick else usual),
        ]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        return {
            THROUGHPUT.name: outcome.required_number("mops"),
            PEAK_RSS.name: outcome.required_number("peak_rss_kib"),
            MINOR_FAULTS.name: outcome.faults,
        }
