"""The text of `hakbench list`: what there is, and what is missing here."""

from __future__ import annotations

from .errors import DriverError
from .settings import Settings
from .suite import Suite
from .suites import SUITES


def render(settings: Settings) -> str:
    """Every suite with its cases and allocators."""
    return "\n\n".join(describe(suite(settings)) for suite in SUITES.values())


def describe(suite: Suite) -> str:
    """One suite. One that cannot run here does not keep the others from showing."""
    title = f"{suite.name}: {suite.title}"
    try:
        cases = " ".join(suite.cases())
    except DriverError as error:
        return f"{title}\n  cannot run here: {error}"
    metrics = ", ".join(
        f"{metric.name} ({metric.unit}, {metric.better} is better)"
        for metric in suite.metrics + suite.silent_metrics
    )
    lines = [
        title,
        f"  cases: {cases}",
        f"  metrics: {metrics}",
        "  allocators:",
    ]
    lines += [entry(name, presence(suite, name)) for name in suite.supported]
    lines += [entry(name, f"not here: {why}") for name, why in suite.excluded.items()]
    return "\n".join(lines)


def presence(suite: Suite, allocator: str) -> str:
    """Whether an allocator can run, and whether it does without being asked for."""
    reason = suite.missing(allocator)
    if reason:
        return f"missing: {reason}"
    return "available" if allocator in suite.allocators else "available on request"


def entry(name: str, text: str) -> str:
    """A line of the list of allocators; further lines of `text` are left out."""
    return f"    {name:<16}{text.splitlines()[0]}"
