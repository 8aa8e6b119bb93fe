"""What stays resident after bursts in a long-lived process, of Python and of Lua."""

from __future__ import annotations

import statistics
from typing import Optional

from ..allocators import HAKMEM, SYSTEM
from ..child import Outcome
from ..metrics import AFTER_RSS, OVER_LIVE, PEAK_RSS, TIME
from ..peers import LIBRARIES
from ..settings import ROOT
from .lua import LuaSuite
from .python import PythonSuite

# The first is the one that the others are compared with.
PROFILES = ("hakmem-balanced", "hakmem-speed", "hakmem-lean")


class Bursts:
    """20 bursts of rows, sessions that live on, small requests between.

    A case is how many sessions live on, scattered over four bursts.

    The RSS after a burst is the median over the bursts of a process. What is live
    is taken to be the process before the first burst and the sessions.
    """

    metrics = (AFTER_RSS, OVER_LIVE, PEAK_RSS, TIME)
    silent_metrics = ()
    runs = 3
    bursts, rows = 20, 250_000
    quick_runs, quick_bursts, quick_rows = 1, 2, 25_000
    sessions_of = 4  # bursts
    sessions = {"20-sessions": 20, "200-sessions": 200}

    def cases(self) -> list[str]:
        self.interpreter  # there must be one
        return list(self.sessions)[: 1 if self.settings.quick else None]

    def arguments(self, case: str) -> list[str]:
        quick = self.settings.quick
        bursts = self.quick_bursts if quick else self.bursts
        rows = self.quick_rows if quick else self.rows
        every = self.sessions_of * rows // self.sessions[case]
        return [str(bursts), str(rows), str(every)]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        after = outcome.printed().get("after_rss_kib")
        if not isinstance(after, list) or not after:
            raise outcome.error("it printed no RSS after its bursts")
        before = outcome.required_number("before_rss_kib")
        live = before + outcome.required_number("session_bytes") / 1024
        return {
            AFTER_RSS.name: statistics.median(after),
            OVER_LIVE.name: statistics.median(after) / live,
            PEAK_RSS.name: outcome.required_number("peak_rss_kib"),
            TIME.name: outcome.cpu,
        }


class BurstSuite(Bursts, PythonSuite):
    """bench/python/burst.py."""

    name = "burst"
    title = "a Python process that serves bursts of 360 MB; RSS one second after each"
    allocators = (*PROFILES, "pymalloc", *LIBRARIES)
    on_request = (HAKMEM, SYSTEM)

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        program = ROOT / "bench" / "python" / "burst.py"
        return [self.interpreter, str(program), *self.arguments(case)]


class LuaBurstSuite(Bursts, LuaSuite):
    """bench/lua/burst.lua."""

    name = "lua-burst"
    title = "a Lua process that serves bursts of 320 MB; RSS after each and some requests"
    on_request = (HAKMEM,)

    @property
    def allocators(self) -> tuple[str, ...]:
        return (*PROFILES, "lua-default", *self.peers)

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        program = ROOT / "bench" / "lua" / "burst.lua"
        return [*self.start(allocator), str(program), *self.arguments(case)]
