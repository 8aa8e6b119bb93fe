"""What can be measured: its unit, which way is better, and how a ratio reads."""

from __future__ import annotations

from dataclasses import dataclass

HIGHER = "higher"
LOWER = "lower"


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    `decimals` are printed in tables. `sentence` puts an advantage into words: it
    is filled with `own`, `other` and `ratio`, and a ratio above 1 always means that
    `own` is the better one.
    """

    name: str
    title: str
    unit: str
    better: str
    decimals: int
    sentence: str

    def advantage(self, own: float, other: float) -> float:
        """How many times better `own` is than `other`; both are above zero."""
        return own / other if self.better == HIGHER else other / own


FASTER = "{own} is {ratio} as fast as {other}"
SMALLER = "{other} takes {ratio} the memory of {own}"
FEWER = "{other} makes {ratio} the OS calls of {own}"

THROUGHPUT = Metric("throughput", "throughput", "Mops/s", HIGHER, 1, FASTER)
TIME = Metric("time", "processor time", "s", LOWER, 3, FASTER)
CLOSE_TIME = Metric("close_time", "time to close", "s", LOWER, 4, FASTER)
STATE_MEMORY = Metric("state_rss", "RSS of a state", "KiB", LOWER, 1, SMALLER)
STATE_TIME = Metric(
    "state_time", "time to make and close a state, all at once", "µs", LOWER, 1, FASTER
)
STATE_CHURN = Metric(
    "state_churn", "time to make and close one, one after the other", "µs", LOWER, 1, FASTER
)
TIME_MS = Metric("time_ms", "wall time", "ms", LOWER, 2, FASTER)
GIVEN = Metric("given", "given back of what is retained", "%", HIGHER, 1, FASTER)
WALL = Metric("wall", "wall time", "s", LOWER, 3, FASTER)
PEAK_RSS = Metric("peak_rss", "peak RSS", "KiB", LOWER, 0, SMALLER)
END_RSS = Metric("end_rss", "RSS at the end", "KiB", LOWER, 0, SMALLER)
AFTER_RSS = Metric("after_rss", "RSS after a burst", "KiB", LOWER, 0, SMALLER)
OVER_LIVE = Metric(
    "rss_over_live", "RSS after a burst over what is live", "×", LOWER, 2, SMALLER
)
MINOR_FAULTS = Metric(
    "page_faults", "page faults", "faults", LOWER, 0, "{other} takes {ratio} the page faults of {own}"
)
OS_CALLS = Metric("os_calls", "OS calls", "calls", LOWER, 0, FEWER)
OS_CALLS_WARM = Metric(
    "os_calls_warm", "OS calls after warm-up", "calls", LOWER, 0, FEWER
)
