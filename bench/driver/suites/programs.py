"""Real programs, from start to exit, with another allocator preloaded each time."""

from __future__ import annotations

import shlex
import shutil
from typing import Optional

from .. import preload
from ..child import Outcome
from ..metrics import MINOR_FAULTS, PEAK_RSS, TIME
from ..settings import ROOT
from .preloaded import PreloadedSuite

FOLDER = ROOT / "bench" / "programs"

# The case's name, its Debian package, the command, and its size, of which quick runs have less.
CASES = {
    "g++": ("g++", "g++ -std=c++17 -fsyntax-only -DSTOREYS={size} {folder}/templates.cc", 8, 1),
    "git": (
        "git", "git -C {build}/bench/history -c pack.threads=1 repack -adfq --window={size}", 10, 1
    ),
    "node": ("nodejs", "node {folder}/rows.js {size}", 5, 1),
    "perl": ("perl", "perl {folder}/words.pl {size}", 40, 4),
    "sqlite3": (
        "sqlite3",
        "sqlite3 -bail :memory: -cmd 'create table size as select {size} as rows' "
        "-cmd '.read {folder}/rows.sql' .quit",
        150000,
        10000,
    ),
}


class ProgramsSuite(PreloadedSuite):
    """A case is a program of Debian's at work; see bench/whole_program.c."""

    name = "programs"
    title = "real programs, their allocator preloaded, from start to exit"
    metrics = (TIME, PEAK_RSS, MINOR_FAULTS)
    runs = 7

    def cases(self) -> list[str]:
        return list(CASES)

    @property
    def runner(self) -> str:
        return str(self.settings.build / "bench" / "whole_program")

    def missing(self, allocator: str) -> Optional[str]:
        if not shutil.which(self.runner):
            return f"there is no {self.runner}: run `make`"
        lacking = [package for case, (package, *_) in CASES.items() if not shutil.which(case)]
        if lacking:
            return f"install the Debian packages {' '.join(lacking)}"
        if not (self.settings.build / "bench" / "history").is_dir():
            return "the repository for git is not made: run `make`"
        return super().missing(allocator)

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        library = preload.library(allocator, self.settings)
        _, command, usual, quick = CASES[case]
        size = quick if self.settings.quick else usual
        words = shlex.split(command)
        named = [word.format(folder=FOLDER, build=self.settings.build, size=size) for word in words]
        return [self.runner, str(library or "-"), *named]

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        return {
            TIME.name: outcome.required_number("seconds"),
            PEAK_RSS.name: outcome.required_number("peak_rss_kib"),
            MINOR_FAULTS.name: outcome.faults,
        }
