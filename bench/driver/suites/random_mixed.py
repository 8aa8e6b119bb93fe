"""Random Mixed: allocate and free blocks of 16 to 1024 B at random, in C.

Each allocator has its own program, build/bench/random_mixed-<allocator>, linked
with it as any program would be (see bench/random_mixed.c); a build of hakmem beside
the standard one has random_mixed-hakmem in its own folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Optional

from .. import builds, child
from ..allocators import BUILDS, HAKMEM, PEERS, VARIANTS, how_to_build, is_installed
from ..child import Outcome
from ..errors import SampleError
from ..metrics import OS_CALLS, OS_CALLS_WARM, PEAK_RSS, THROUGHPUT
from ..peers import LIBRARIES, missing_library
from ..suite import Suite

OPERATIONS = 20_000_000
QUICK_OPERATIONS = 10_000_000


class RandomMixedSuite(Suite):
    """A case is a working set: how many blocks are alive at once."""

    name = "random-mixed"
    title = "blocks of 16 to 1024 B, by number of blocks alive"
    metrics = (THROUGHPUT, PEAK_RSS, OS_CALLS)
    silent_metrics = (OS_CALLS_WARM,)
    allocators = (HAKMEM, *PEERS, "null")
    on_request = tuple(VARIANTS)
    excluded = {
        "lua-default": "there is no Lua in it",
        "pymalloc": "there is no Python in it",
    }
    runs = 10

    working_sets = {"ws400": 400, "ws4000": 4000, "ws40000": 40000}

    def cases(self) -> list[str]:
        return list(self.working_sets)

    def program(self, allocator: str) -> Path:
        """The program that is linked with an allocator."""
        kind = HAKMEM if allocator in BUILDS else allocator
        build = builds.folder(allocator, self.settings)
        return build / "bench" / f"random_mixed-{kind}"

    def missing(self, allocator: str) -> Optional[str]:
        if allocator in LIBRARIES:
            reason = missing_library(allocator)
            if reason:
                return reason
        program = self.program(allocator)
        if not program.is_file():
            return (
                f"{allocator} is not built: there is no {program}; "
                f"run `{how_to_build(allocator)}`"
            )
        return wrong_linkage(allocator, program) or self.wrong_build(allocator)

    def wrong_build(self, allocator: str) -> Optional[str]:
        """Why a hakmem must not be measured under its name, or None."""
        if not is_installed(allocator):
            return None
        once = [str(self.program(allocator)), "--ws", "1", "--ops", "1"]
        try:
            return builds.refusal(
                allocator, self.settings, once, self.environment(allocator)
            )
        except SampleError as error:
            return str(error)

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        operations = QUICK_OPERATIONS if self.settings.quick else OPERATIONS
        return [
            str(self.program(allocator)),
            *("--ws", str(self.working_sets[case])),
            *("--ops", str(operations)),
            *("--seed", str(round_number)),
        ]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        return {
            THROUGHPUT.name: outcome.required_number("mops"),
            PEAK_RSS.name: outcome.required_number("peak_rss_kib"),
            OS_CALLS.name: outcome.number("os_calls"),
            OS_CALLS_WARM.name: outcome.number("os_calls_warm"),
        }


def wrong_linkage(allocator: str, program: Path) -> Optional[str]:
    """Says so if a program is not linked with its own peer and no other.

    A linker that drops libraries it thinks unused leaves a program that measures
    the system's allocator under a peer's name. Static programs are not judged.
    """
    if shutil.which("ldd") is None:
        return None
    try:
        linked = child.run(["ldd", str(program)], child.clean_environment()).stdout
    except SampleError:
        return None
    found = [name for name, library in LIBRARIES.items() if re.search(library.names, linked)]
    expected = [allocator] if allocator in LIBRARIES else []
    if found == expected:
        return None
    return (
        f"{program} should be linked with {' '.join(expected) or 'no peer'}, "
        f"but ldd shows {' '.join(found) or 'none'}: repair the Makefile"
    )
