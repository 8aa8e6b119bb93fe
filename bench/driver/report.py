"""The tables of `hakbench run`: cases down, allocators across."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional

from . import peers
from .allocators import OBSERVE
from .builds import cautions
from .metrics import Metric
from .plan import Comparison
from .settings import Settings, withheld_variables
from .summary import Summary

Cells = list[list[str]]


def render(
    comparison: Comparison, settings: Settings, records: list[dict[str, Any]]
) -> str:
    """All the tables of one comparison, each with what follows from it."""
    warnings = cautions(comparison.allocators)
    parts = [heading(comparison, settings)]
    parts += map(loud, warnings)
    for metric in comparison.suite.metrics:
        summary = Summary(metric, comparison.cases, comparison.allocators, records)
        if summary.allocators:
            parts.append(section(summary))
    parts += map(loud, warnings)
    return "\n\n".join(parts) + "\n"


def heading(comparison: Comparison, settings: Settings) -> str:
    """What was run, and with which configuration."""
    suite = comparison.suite
    quick = ", quick (less work in each run)" if settings.quick else ""
    default = "" if settings.profile_named else " (the default: no --profile was named)"
    where = f"pinned to processor {settings.cpu}" if suite.pinned else "on all processors"
    lines = [
        f"== {suite.name}: {suite.title}",
        f"medians of {comparison.runs} runs{quick}, {where}, HAKMEM_PROFILE={settings.profile}{default}",
    ]
    versions = peers.versions(comparison.allocators)
    if versions:
        lines.append("peers: " + ", ".join(f"{name} {at}" for name, at in versions.items()))
    lines += [f"left out: {reason}" for reason in comparison.left_out.values()]
    withheld = withheld_variables()
    if withheld:
        lines.append("not passed on from the environment: " + ", ".join(withheld))
    return "\n".join(lines)


def loud(caution: str) -> str:
    """A caution that is not overlooked."""
    return f"!!! {caution} !!!"


def section(summary: Summary) -> str:
    """The table of one metric and the sentences below it."""
    metric = summary.metric
    lines = [f"{metric.title} ({metric.unit}, {metric.better} is better)"]
    lines += aligned(table(summary))
    if summary.own and len(summary.allocators) > 1:
        meaning = metric.sentence.format(
            own=summary.own, other="that allocator", ratio="N×"
        )
        lines.append(f"N×: {meaning}; above 1× {summary.own} is the better one")
    peer = summary.best_peer()
    if peer:
        lines.append("best peer: " + verdict(summary, peer))
    for stock in ("lua-default", "pymalloc"):
        if summary.own and stock in summary.allocators and summary.own != stock:
            lines.append(f"{stock}: " + verdict(summary, stock))
    lines.append(noise(summary))
    return "\n".join(lines)


def table(summary: Summary) -> Cells:
    """The rows of a table: two columns, median and ratio, for each allocator."""
    header = [""]
    for allocator in summary.allocators:
        header += [allocator, ""]
    rows = [header]
    for case in summary.cases:
        row = [case]
        for allocator in summary.allocators:
            row.append(number(summary.metric, summary.medians[case, allocator]))
            row.append(
                ratio_beside(summary, allocator, summary.advantage(case, allocator))
            )
        rows.append(row)
    if len(summary.cases) > 1:
        row = ["geomean"]
        for allocator in summary.allocators:
            total = summary.ratio(allocator)
            row.append(number(summary.metric, summary.mean(allocator)))
            row.append(ratio_beside(summary, allocator, total.mean if total else None))
        rows.append(row)
    return rows


def ratio_beside(summary: Summary, allocator: str, value: Optional[float]) -> str:
    """The ratio to print beside a median; an allocator has none with itself."""
    return "" if allocator in (summary.own, OBSERVE) else ratio(value)


def verdict(summary: Summary, other: str) -> str:
    """`own` against another allocator over the whole suite."""
    total = summary.ratio(other)
    if total is None:
        return f"{other}, but a value of 0 has no ratio"
    sentence = summary.metric.sentence.format(
        own=summary.own, other=other, ratio=ratio(total.mean)
    )
    return f"{sentence} (geomean); worst case {total.worst_case}: {ratio(total.worst)}"


def noise(summary: Summary) -> str:
    """The cell whose values lie furthest apart."""
    share, cell = summary.widest()
    return (
        f"widest cell: {cell['allocator']} on {cell['case']}, "
        f"from least to most {share:.1%} of the median"
    )


def number(metric: Metric, value: Optional[float]) -> str:
    """A value of a metric as the reader sees it."""
    return "-" if value is None else f"{value:.{metric.decimals}f}"


def ratio(value: Optional[float]) -> str:
    """A ratio as the reader sees it."""
    return "-" if value is None else f"{value:.2f}×"


def aligned(rows: Cells) -> Iterable[str]:
    """Rows as lines: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield line(row, widths)


def line(row: Sequence[str], widths: Sequence[int]) -> str:
    """One line of a table."""
    cells = [row[0].ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
    return "  ".join(cells).rstrip()
