"""Turns the names asked for into comparisons, or says what is wrong with them.

All is checked before anything runs: a long session must not end on a typing error
in its last suite. A peer that was named must be there; one that was not is left out
if it is not here, and the tables say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from .builds import PROFILES
from .errors import MissingError, UsageError
from .peers import LIBRARIES
from .settings import Settings, allowed_cpus
from .suite import Suite
from .suites import SUITES


@dataclass(frozen=True)
class Comparison:
    """What is run of one suite: each case by each allocator, `runs` times."""

    suite: Suite
    cases: list[str]
    allocators: list[str]
    runs: int
    left_out: dict[str, str]  # peers that nobody named and that are not here, and why


def comparisons(
    settings: Settings,
    suites: Sequence[str],
    allocators: Optional[Sequence[str]] = None,
    cases: Optional[Sequence[str]] = None,
    runs: Optional[int] = None,
) -> list[Comparison]:
    """The comparisons asked for; None means the default of each suite.

    Raises UsageError for a name that is not accepted, listing those that are, and
    MissingError for anything that is not installed or not built.
    """
    accept("suite", suites, SUITES)
    accept("profile", [settings.profile], PROFILES)
    accept("processor", [str(settings.cpu)], map(str, allowed_cpus()))
    chosen = [SUITES[name](settings) for name in unique(suites)]
    for suite in chosen:
        check_allocators(suite, allocators or [])

    known_cases = {suite.name: suite.cases() for suite in chosen}
    accept("case", cases or [], sum(known_cases.values(), []))

    planned = []
    for suite in chosen:
        suite_cases = [
            case for case in known_cases[suite.name] if not cases or case in cases
        ]
        if not suite_cases:
            raise UsageError(
                f"none of the cases asked for is in the suite {suite.name}; "
                f"it has: {', '.join(known_cases[suite.name])}"
            )
        left_out = {} if allocators else missing_peers(suite)
        suite_allocators = [
            name for name in unique(allocators or suite.allocators) if name not in left_out
        ]
        suite_runs = runs or suite.default_runs
        planned.append(
            Comparison(suite, suite_cases, suite_allocators, suite_runs, left_out)
        )
    check_presence(planned)
    return planned


def missing_peers(suite: Suite) -> dict[str, str]:
    """{peer: why it is not here}, of those that a suite compares unless told otherwise."""
    reasons = {name: suite.missing(name) for name in suite.allocators if name in LIBRARIES}
    return {name: reason for name, reason in reasons.items() if reason}


def unique(names: Sequence[str]) -> list[str]:
    """The names in order, each once."""
    return list(dict.fromkeys(names))


def accept(kind: str, names: Iterable[str], accepted: Iterable[str]) -> None:
    """Raises UsageError for the first name that is not accepted."""
    accepted = list(accepted)
    for name in names:
        if name not in accepted:
            raise UsageError(
                f"unknown {kind} {name!r}; accepted: {', '.join(accepted)}"
            )


def check_allocators(suite: Suite, names: Sequence[str]) -> None:
    """Raises UsageError for an allocator that cannot run a suite."""
    for name in names:
        if name in suite.excluded:
            raise UsageError(
                f"the suite {suite.name} does not run {name}: {suite.excluded[name]}; "
                f"accepted: {', '.join(suite.supported)}"
            )
    accept(f"allocator for the suite {suite.name}", names, suite.supported)


def check_presence(planned: Sequence[Comparison]) -> None:
    """Raises MissingError with all that is not installed or not built."""
    reasons = [
        f"{comparison.suite.name}: {reason}"
        for comparison in planned
        for reason in map(comparison.suite.missing, comparison.allocators)
        if reason
    ]
    if reasons:
        raise MissingError("\n".join(reasons))
