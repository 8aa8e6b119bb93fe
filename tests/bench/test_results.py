"""The figures: medians, ratios that say who is better, and the JSON."""

import math
import re

import pytest
from driver.metrics import OS_CALLS, PEAK_RSS, THROUGHPUT, TIME
from driver.summary import Summary


def records(metric, medians):
    """Records of one metric from {allocator: {case: median}}."""
    return [
        {
            "case": case,
            "allocator": allocator,
            "metric": metric.name,
            "values": [value],
            "median": value,
        }
        for allocator, cells in medians.items()
        for case, value in cells.items()
    ]


def summary(metric, medians):
    cases = list(next(iter(medians.values())))
    return Summary(metric, cases, list(medians), records(metric, medians))


def test_a_ratio_above_one_means_that_hakmem_is_better():
    fast = summary(THROUGHPUT, {"hakmem": {"a": 150.0}, "system": {"a": 100.0}})
    short = summary(TIME, {"hakmem": {"a": 2.0}, "system": {"a": 3.0}})
    small = summary(PEAK_RSS, {"hakmem": {"a": 200}, "system": {"a": 300}})
    for one in (fast, short, small):
        assert one.advantage("a", "system") == 1.5


def test_the_mean_is_geometric_and_the_worst_case_is_named():
    one = summary(
        THROUGHPUT, {"hakmem": {"a": 8.0, "b": 1.0}, "system": {"a": 1.0, "b": 2.0}}
    ).ratio("system")
    assert math.isclose(one.mean, 2.0)
    assert (one.worst, one.worst_case) == (0.5, "b")


@pytest.mark.parametrize(
    ("metric", "best"), [(THROUGHPUT, "jemalloc"), (TIME, "system")]
)
def test_the_best_peer_is_one_peer_over_the_whole_suite(metric, best):
    one = summary(
        metric,
        {
            "hakmem": {"a": 5.0, "b": 5.0},
            "mimalloc": {"a": 9.0, "b": 1.0},
            "jemalloc": {"a": 4.0, "b": 4.0},
            "system": {"a": 1.0, "b": 5.0},
            "null": {"a": 99.0, "b": 99.0},
            "lua-default": {"a": 0.1, "b": 0.1},
        },
    )
    assert one.best_peer() == best


def test_a_count_of_zero_has_no_ratio():
    one = summary(OS_CALLS, {"hakmem": {"a": 0}, "hakmem-fast": {"a": 3}})
    assert one.advantage("a", "hakmem-fast") is None
    assert one.ratio("hakmem-fast") is None


def test_an_allocator_without_the_metric_has_no_column():
    one = summary(OS_CALLS, {"hakmem": {"a": 7}, "system": {}})
    assert one.allocators == ["hakmem"]


def test_the_json_has_a_record_for_each_cell_and_metric(build):
    build.all_programs()
    build.program("hakmem", mops=150.5, rss=1900)
    result = build.records("random-mixed", "--runs", "3", "--allocators", "hakmem,null")
    found = result["records"]
    assert len(found) == 3 * 2 * 2
    assert found[0] == {
        "suite": "random-mixed",
        "case": "ws400",
        "allocator": "hakmem",
        "metric": "throughput",
        "unit": "Mops/s",
        "better": "higher",
        "values": [150.5] * 3,
        "median": 150.5,
    }
    assert found[1]["metric"] == "peak_rss"
    assert (found[1]["unit"], found[1]["better"]) == ("KiB", "lower")


def test_a_median_is_taken_over_the_counted_runs(build):
    # The warm-up prints 1; the counted samples print 2, 3 and 10.
    build.program(
        "hakmem",
        body=f"n=$(wc -l < {build.log}); set -- 1 2 3 10; shift $((n - 1))\n"
        'echo "{\\"mops\\": $1, \\"peak_rss_kib\\": 5}"; exit 0',
    )
    result = build.records(
        "random-mixed", "--cases", "ws400", "--allocators", "hakmem", "--runs", "3"
    )
    assert result["records"][0]["values"] == [2, 3, 10]
    assert result["records"][0]["median"] == 3


def test_os_calls_are_recorded_where_an_allocator_counts_them(build):
    build.program("system")
    build.program(
        "hakmem",
        body='echo \'{"mops": 1, "peak_rss_kib": 1, "os_calls": 0}\'; exit 0',
    )
    result = build.records(
        "random-mixed", "--cases", "ws400", "--allocators", "hakmem,system"
    )
    counted = [one for one in result["records"] if one["metric"] == "os_calls"]
    assert [one["allocator"] for one in counted] == ["hakmem"]
    assert counted[0]["median"] == 0


def test_the_meta_lets_a_reader_repeat_the_session(build):
    build.all_programs()
    meta = build.records(
        "random-mixed",
        "--cases",
        "ws4000",
        "--allocators",
        "hakmem,null",
        "--quick",
        "--profile",
        "lean",
    )["meta"]
    assert meta["command"][1:3] == ["run", "random-mixed"]
    assert (meta["profile"], meta["quick"]) == ("lean", True)
    assert meta["runs"]["random-mixed"] >= 3
    assert {"cpu", "cores", "kernel", "memory_kib"} <= meta["machine"].keys()
    assert re.fullmatch(r"5\.\d.*", meta["versions"]["peers"]["jemalloc"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", meta["versions"]["hakmem"])
    assert {"date", "git", "cpu"} <= meta.keys()
    hakmem = meta["configuration"]["random-mixed"]["hakmem"]
    assert hakmem["environment"]["HAKMEM_PROFILE"] == "lean"
    assert hakmem["commands"]["ws4000"][1:3] == ["--ws", "4000"]
    null = meta["configuration"]["random-mixed"]["null"]
    assert "HAKMEM_PROFILE" not in null["environment"]


def test_the_tables_say_who_is_faster_and_by_how_much(build):
    build.all_programs()
    build.program("hakmem", mops=150, rss=1000)
    build.program("tcmalloc", mops=120, rss=1500)
    build.program("jemalloc", mops=60, rss=500)
    status, stdout, stderr = build.hakbench(
        "run",
        "random-mixed",
        "--runs",
        "1",
        "--allocators",
        "hakmem,tcmalloc,jemalloc",
    )
    assert status == 0
    assert "HAKMEM_PROFILE=balanced" in stdout
    rows = [line.split() for line in stdout.splitlines()]
    assert ["ws400", "150.0", "120.0", "1.25×", "60.0", "2.50×"] in rows
    assert ["geomean", "1000", "1500", "1.50×", "500", "0.50×"] in rows
    assert "N×: hakmem is N× as fast as that allocator" in stdout
    assert "best peer: hakmem is 1.25× as fast as tcmalloc" in stdout
    assert "best peer: jemalloc takes 0.50× the memory of hakmem" in stdout
    assert "worst case ws400: 1.25×" in stdout
    assert not stderr, "progress belongs on a terminal only"


def test_without_hakmem_the_first_allocator_is_the_measure(build):
    build.all_programs()
    _, stdout, _ = build.hakbench(
        "run", "random-mixed", "--runs", "1", "--allocators", "system,tcmalloc"
    )
    assert "N×: system is N× as fast as that allocator" in stdout
