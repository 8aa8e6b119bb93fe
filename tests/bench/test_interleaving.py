"""The allocators of a comparison take turns, so that drift falls on all alike."""

from collections import Counter

import pytest
from driver.session import order


def rounds(count, number):
    return [order(list(range(count)), one) for one in range(1, number + 1)]


@pytest.mark.parametrize("count", range(1, 8))
def test_every_round_runs_every_allocator_once(count):
    for row in rounds(count, 12):
        assert sorted(row) == list(range(count))


def test_the_first_round_starts_with_the_first_allocator():
    assert order(["A", "B", "C"], 1)[0] == "A"


@pytest.mark.parametrize("count", range(2, 8))
def test_each_allocator_follows_each_other_equally_often(count):
    followers = Counter(
        pair for row in rounds(count, 2 * count) for pair in zip(row, row[1:])
    )
    assert set(followers.values()) == {2}
    assert len(followers) == count * (count - 1)


@pytest.mark.parametrize("count", range(3, 8))
def test_three_rounds_are_enough_to_change_every_neighbour(count):
    for allocator in range(count):
        before = {
            row[row.index(allocator) - 1] if row.index(allocator) else None
            for row in rounds(count, 3)
        }
        assert len(before) > 1


def test_samples_take_turns_after_an_uncounted_warm_up(build):
    build.all_programs()
    result = build.records(
        "random-mixed",
        "--cases",
        "ws400",
        "--allocators",
        "hakmem,system,null",
        "--runs",
        "4",
    )
    ran = [words[0] for words in build.logged()]
    turns = [ran[start : start + 3] for start in range(0, len(ran), 3)]
    assert len(turns) == 1 + 4
    assert all(sorted(turn) == ["hakmem", "null", "system"] for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 1
    assert all(len(record["values"]) == 4 for record in result["records"])


def test_a_round_has_one_seed_and_every_round_another(build):
    build.all_programs()
    build.records(
        "random-mixed",
        "--cases",
        "ws400",
        "--allocators",
        "hakmem,system",
        "--runs",
        "3",
    )
    seeds = [words[words.index("--seed") + 1] for words in build.logged()][2:]
    assert seeds == ["1", "1", "2", "2", "3", "3"]


def test_cases_run_one_after_the_other(build):
    build.all_programs()
    build.records("random-mixed", "--allocators", "hakmem,system", "--runs", "1")
    sizes = [words[words.index("--ws") + 1] for words in build.logged()]
    assert sizes == ["400"] * 4 + ["4000"] * 4 + ["40000"] * 4


def test_a_quick_comparison_warms_up_once(build):
    build.all_programs()
    build.records("random-mixed", "--allocators", "hakmem,system", "--quick")
    sizes = [words[words.index("--ws") + 1] for words in build.logged()]
    assert sizes == ["400"] * 8 + ["4000"] * 6 + ["40000"] * 6
