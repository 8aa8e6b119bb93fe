"""Runs a comparison, its allocators in turn, into records."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Optional

from .metrics import Metric
from .plan import Comparison
from .progress import Progress

# The metrics of one sample of each allocator.
Round = dict[str, dict[str, Optional[float]]]


def order(allocators: Sequence[str], round_number: int) -> list[str]:
    """The order of the allocators in a round; rounds count from 1.

    Rows of a Williams design (E. J. Williams, Australian Journal of Scientific
    Research A 2, 1949): a rotated zigzag, mirrored in every other cycle. For an
    even number of allocators each one follows each other one exactly once in a
    cycle, for an odd number twice in two cycles. So what a sample leaves behind,
    such as a warm processor, falls on all alike.
    """
    count = len(allocators)
    cycle, shift = divmod(round_number - 1, count)
    zigzag = [step // 2 if step % 2 == 0 else -(step + 1) // 2 for step in range(count)]
    row = [allocators[(step + shift) % count] for step in zigzag]
    return row[::-1] if cycle % 2 else row


def run(comparison: Comparison, progress: Progress) -> list[dict[str, Any]]:
    """The records of a comparison, in the order of its cases and allocators.

    Raises SampleError at the first sample that fails.
    """
    records: list[dict[str, Any]] = []
    try:
        for case in comparison.cases:
            # A quick comparison has no time to warm up for more than its first case.
            if not (comparison.suite.settings.quick and records):
                run_round(comparison, case, 1, progress, "warm-up")
            rounds = [
                run_round(comparison, case, number, progress, f"of {comparison.runs}")
                for number in range(1, comparison.runs + 1)
            ]
            records += case_records(comparison, case, rounds)
    finally:
        progress.clear()
    return records


def run_round(
    comparison: Comparison, case: str, number: int, progress: Progress, remark: str
) -> Round:
    """One sample of each allocator."""
    suite = comparison.suite
    place = f"{comparison.cases.index(case) + 1}/{len(comparison.cases)}"
    title = f"{suite.name}: case {place} {case}, round {number} {remark}"
    samples = {}
    for allocator in order(comparison.allocators, number):
        progress.show(f"{title}, {allocator}")
        samples[allocator] = suite.sample(allocator, case, number)
    return samples


def case_records(
    comparison: Comparison, case: str, rounds: Sequence[Round]
) -> list[dict[str, Any]]:
    """A record for each metric that an allocator has; values are in round order."""
    suite = comparison.suite
    records = []
    for allocator in comparison.allocators:
        for metric in suite.metrics + suite.silent_metrics:
            values = [samples[allocator][metric.name] for samples in rounds]
            if None not in values:
                records.append(record(suite.name, case, allocator, metric, values))
    return records


def record(
    suite: str, case: str, allocator: str, metric: Metric, values: list[float]
) -> dict[str, Any]:
    """The values of one cell as they go into the JSON."""
    return {
        "suite": suite,
        "case": case,
        "allocator": allocator,
        "metric": metric.name,
        "unit": metric.unit,
        "better": metric.better,
        "values": values,
        "median": statistics.median(values),
    }
