"""CPython's own tests on hakmem: the quick ones, on the system's Python. `make
test-python-regression` runs them all."""

import warnings

import comparison
import pytest
import regression
from comparison import Run, Verdict


@pytest.fixture(scope="module")
def environment(system_python, tmp_path_factory):
    folder = tmp_path_factory.mktemp("regression")
    return comparison.Environment(system_python.program, folder)


@pytest.mark.parametrize("name", regression.QUICK)
def test_file(environment, name):
    if not regression.has(environment, name):
        assert regression.has(environment, "test_gc"), "CPython's tests are missing"
        pytest.skip("not in this version")
    for verdict in regression.verdicts_on(environment, name):
        if verdict.unsteady or verdict.hung():
            warnings.warn(str(verdict))
        assert not verdict.different, str(verdict)
    assert verdict.count("passed") >= 10, str(verdict)


FINE = Run({"a": "passed", "b": "failed", "c": "skipped"}, 2, 1.0)


@pytest.mark.parametrize(
    "ours",
    [
        Run({**FINE.outcomes, "a": "failed"}, 2, 1.0),
        Run({**FINE.outcomes, "a": "skipped"}, 2, 1.0),
        Run({**FINE.outcomes, "a": "started"}, 2, 1.0),
        Run({**FINE.outcomes, "c": "failed"}, 2, 1.0),
        Run({**FINE.outcomes, "new": "failed"}, 2, 1.0),
        Run({"b": "failed"}, 2, 1.0),
        Run(FINE.outcomes, 3, 1.0),
        Run(FINE.outcomes, "timeout", 1.0),
        Run(FINE.outcomes, "SIGSEGV", 1.0),
        Run({"a": "started"}, "timeout", 1.0),
    ],
)
def test_what_is_worse_is_a_difference_after_three_runs(ours):
    verdict = Verdict("test_x")
    while verdict.add(FINE, ours):
        assert len(verdict.runs) < 3
    assert verdict.different and "DIFFERS" in str(verdict)


def test_what_is_the_same_or_better_is_none():
    for ours in (FINE, Run({**FINE.outcomes, "b": "passed"}, 0, 1.0)):
        verdict = Verdict("test_x")
        assert not verdict.add(FINE, ours)
        assert not verdict.different and not verdict.unsteady


def test_what_happens_once_is_unsteady_but_a_crash_is_not():
    verdict = Verdict("test_x")
    assert verdict.add(FINE, Run({**FINE.outcomes, "a": "failed"}, 2, 1.0))
    assert not verdict.add(FINE, FINE)
    assert not verdict.different and verdict.unsteady == {"a": "failed, passed stock"}
    assert not verdict.add(FINE, Run(FINE.outcomes, "SIGSEGV", 1.0))
    assert verdict.different


def test_what_stock_hangs_in_is_left_out():
    stock = Run({"a": "passed", "b": "started"}, "timeout", 1.0)
    verdict = Verdict("test_x")
    assert not verdict.add(stock, stock)
    assert not verdict.different and verdict.hung() == ["b"]
    assert Verdict("test_x").add(stock, Run({"a": "started"}, "timeout", 1.0))
    assert Verdict("test_x").add(stock, Run(stock.outcomes, "SIGSEGV", 1.0)) is False
