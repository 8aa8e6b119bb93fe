"""One binary, with another allocator preloaded each time: nothing else differs, its layout neither."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from .. import builds
from ..allocators import PRELOAD, SYSTEM
from ..child import Outcome
from ..metrics import MINOR_FAULTS, PEAK_RSS, THROUGHPUT
from ..peers import LIBRARIES, mapped_path, missing_library
from ..suite import Suite

# The case's name, the program, and its arguments; of which the last is what quick runs do less of.
CASES = {
    "ws400": ("random_mixed-system", "--ws 400 --seed {round} --ops", 20_000_000, 10_000_000),
    "ws4000": ("random_mixed-system", "--ws 4000 --seed {round} --ops", 20_000_000, 10_000_000),
    "small-scale": ("small_scale", "{round}", 50, 10),
}


class PreloadMixedSuite(Suite):
    """Blocks of 16 to 1,024 B, as in random-mixed; and the small-scale comparison, 8 B to 1 MB."""

    name = "preload-mixed"
    title = "one binary, its allocator preloaded"
    metrics = (THROUGHPUT, PEAK_RSS, MINOR_FAULTS)
    allocators = (PRELOAD, *LIBRARIES, SYSTEM)
    excluded = {
        "hakmem": "its name here is hakmem-preload",
        "lua-default": "there is no Lua in it",
        "pymalloc": "there is no Python in it",
        "null": "there is nothing to preload",
    }
    runs = 10

    def cases(self) -> list[str]:
        return list(CASES)

    def library(self, allocator: str) -> Optional[Path]:
        """What is preloaded; None: nothing."""
        if allocator == SYSTEM:
            return None
        if allocator == PRELOAD:
            return builds.folder(allocator, self.settings) / "libhakmem-preload.so"
        found = mapped_path(allocator)
        return Path(found) if found else None

    def missing(self, allocator: str) -> Optional[str]:
        if allocator in LIBRARIES:
            return missing_library(allocator)
        library = self.library(allocator)
        if library and not library.is_file():
            return f"{allocator} is not built: there is no {library}; run `make preload`"
        return None

    def environment(self, allocator: str) -> dict[str, str]:
        environment = super().environment(allocator)
        library = self.library(allocator)
        if library:
            environment["LD_PRELOAD"] = str(library)
        return environment

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
