"""Medians, ratios, geometric means and the best peer of one metric of a suite."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from .allocators import HAKMEM, OBSERVE, PEERS
from .metrics import Metric


@dataclass(frozen=True)
class Ratio:
    """How much better one allocator is than another over a suite; 1 is equal."""

    mean: float
    worst: float
    worst_case: str


class Summary:
    """The medians of one metric, and what follows from them.

    `own` is the allocator that the others are compared with: hakmem, or the first
    one if hakmem is not among them; None if no allocator has the metric. It is never
    the build that observes, which is not hakmem's speed. One that lacks the metric in
    some case, since it does not count its OS calls say, is left out.
    """

    def __init__(
        self,
        metric: Metric,
        cases: Sequence[str],
        allocators: Sequence[str],
        records: Iterable[dict[str, Any]],
    ) -> None:
        self.metric = metric
        self.cases = list(cases)
        self.records = [one for one in records if one["metric"] == metric.name]
        self.medians = {
            (one["case"], one["allocator"]): one["median"] for one in self.records
        }
        self.allocators = [
            allocator
            for allocator in allocators
            if all((case, allocator) in self.medians for case in cases)
        ]
        candidates = [one for one in self.allocators if one != OBSERVE]
        first = next(iter(candidates), None)
        self.own = HAKMEM if HAKMEM in candidates else first

    def advantage(self, case: str, other: str) -> Optional[float]:
        """How many times better `own` is than `other` in a case.

        None for a value of 0, as a number of OS calls may be.
        """
        if self.own is None:
            return None
        own, others = self.medians[case, self.own], self.medians[case, other]
        return self.metric.advantage(own, others) if own > 0 and others > 0 else None

    def mean(self, allocator: str) -> Optional[float]:
        """The geometric mean of an allocator's medians, None if one is 0."""
        return geometric_mean([self.medians[case, allocator] for case in self.cases])

    def ratio(self, other: str) -> Optional[Ratio]:
        """`own` against `other` over all cases, None if a value is 0."""
        advantages = [self.advantage(case, other) for case in self.cases]
        mean = geometric_mean(advantages)
        if mean is None:
            return None
        worst, worst_case = min(zip(advantages, self.cases))
        return Ratio(mean, worst, worst_case)

    def best_peer(self) -> Optional[str]:
        """The one peer with the best geometric mean over the suite."""
        ratios = {
            allocator: self.ratio(allocator)
            for allocator in self.allocators
            if allocator in PEERS and allocator != self.own
        }
        known = {peer: one.mean for peer, one in ratios.items() if one is not None}
        return min(known, key=lambda peer: known[peer], default=None)

    def widest(self) -> tuple[float, dict[str, Any]]:
        """The record whose values lie furthest apart, and their spread."""
        widest = max(self.records, key=lambda one: spread(one["values"]))
        return spread(widest["values"]), widest


def geometric_mean(values: Sequence[Optional[float]]) -> Optional[float]:
    """The geometric mean, None if a value is missing or 0."""
    known = [value for value in values if value]
    return statistics.geometric_mean(known) if len(known) == len(values) else None


def spread(values: Sequence[float]) -> float:
    """The distance of the extremes as a share of the median."""
    median = statistics.median(values)
    return (max(values) - min(values)) / median if median else 0.0
