"""What every suite must provide. driver/suites/ has one module for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from . import allocators, child
from .child import Outcome
from .metrics import Metric
from .settings import Settings


class Suite:
    """A set of cases, the allocators that can run them, and what is measured.

    A subclass fills in the fields and the methods that raise NotImplementedError.
    Its first metric is the one the suite is about.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]  # each gets a table
    silent_metrics: tuple[Metric, ...] = ()  # only recorded
    allocators: tuple[str, ...]  # compared unless others are asked for
    on_request: tuple[str, ...] = ()  # compared only if asked for
    excluded: Mapping[str, str] = {}  # allocator -> why it cannot run this suite
    runs: int
    quick_runs: int = 3
    pinned: bool = True  # to one processor; threads need them all

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def supported(self) -> tuple[str, ...]:
        """Every allocator that may be asked for."""
        return self.allocators + self.on_request

    @property
    def default_runs(self) -> int:
        """Counted samples of each cell unless --runs says otherwise."""
        return self.quick_runs if self.settings.quick else self.runs

    def cases(self) -> list[str]:
        """The names of the cases, in order. Raises MissingError."""
        raise NotImplementedError

    def missing(self, allocator: str) -> Optional[str]:
        """Why a supported allocator cannot run here and what to do, else None.

        Asked only where cases() succeeds.
        """
        raise NotImplementedError

    def command(self, allocator: str, case: str, round_number: int) -> list[str]:
        """The command of one sample. Rounds count from 1."""
        raise NotImplementedError

    def environment(self, allocator: str) -> dict[str, str]:
        """The whole environment of the samples of an allocator."""
        if allocators.is_hakmem(allocator):
            profile = allocators.profile_of(allocator, self.settings.profile)
            return child.clean_environment(HAKMEM_PROFILE=profile)
        return child.clean_environment()

    def measure(self, outcome: Outcome, case: str) -> dict[str, Optional[float]]:
        """The value of each metric, None where the sample has no such value.

        Raises SampleError when the output is not what the suite expects.
        """
        raise NotImplementedError

    def sample(
        self, allocator: str, case: str, round_number: int
    ) -> dict[str, Optional[float]]:
        """Runs one sample; the value of each metric by its name."""
        outcome = child.run(
            self.command(allocator, case, round_number),
            self.environment(allocator),
            self.settings.cpu if self.pinned else None,
        )
        return self.measure(outcome, case)
