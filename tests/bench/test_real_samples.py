"""The driver with the real programs, where they are built and installed."""

import json
import shutil
import subprocess
import sys

import pytest
from driver.settings import ROOT, Settings
from driver.suites.lua import LuaSuite
from driver.suites.random_mixed import RandomMixedSuite


def available(suite):
    """The allocators of a suite that can run here."""
    return [name for name in suite.allocators if not suite.missing(name)]


def measured(suite, case, tmp_path):
    """Runs one short round; the median of each metric by allocator."""
    allocators = available(suite)
    file = tmp_path / "result.json"
    subprocess.run(
        [
            *(sys.executable, str(ROOT / "bench" / "hakbench"), "run", suite.name),
            *("--quick", "--runs", "1", "--cases", case, "--json", str(file)),
            *("--allocators", ",".join(allocators)),
        ],
        check=True,
        timeout=300,
    )
    records = json.loads(file.read_text(encoding="utf-8"))["records"]
    medians = {allocator: {} for allocator in allocators}
    for record in records:
        medians[record["allocator"]][record["metric"]] = record["median"]
    return medians


def test_random_mixed_measures_every_allocator_that_is_built(tmp_path):
    suite = RandomMixedSuite(Settings(quick=True))
    if not available(suite):
        pytest.skip("no random_mixed program is built")
    for allocator, medians in measured(suite, "ws400", tmp_path).items():
        assert 1 < medians["throughput"] < 2000, allocator
        assert 500 < medians["peak_rss"] < 1 << 20, allocator


@pytest.mark.skipif(shutil.which("lua5.4") is None, reason="no lua5.4")
def test_a_lua_program_runs_under_every_allocator_that_is_here(tmp_path):
    suite = LuaSuite(Settings(quick=True))
    for allocator, medians in measured(suite, "trees", tmp_path).items():
        assert 0 < medians["time"] <= medians["wall"] * 1.5, allocator
        assert 500 < medians["end_rss"] <= medians["peak_rss"], allocator
