"""The driver with the real programs, where they are built and installed."""

import json
import os
import shutil
import subprocess
import sys
from functools import lru_cache

import pytest
from driver import child
from driver.peers import LIBRARIES
from driver.errors import DriverError, SampleError, UsageError
from driver.plan import check_allocators
from driver.settings import ROOT, Settings
from driver.suites.burst import LuaBurstSuite
from driver.suites.lua import LuaJITSuite, LuaSuite
from driver.suites.python import PythonChurnSuite, PythonProgramsSuite
from driver.suites.programs import ProgramsSuite
from driver.suites.random_mixed import RandomMixedSuite

PYTHON = os.environ.get("PYTHON") or Settings.python
PYTHON_SUITES = [(PythonChurnSuite, "records"), (PythonProgramsSuite, "text_index")]
HARNESS = ROOT / "bench" / "python" / "harness.py"
PYTHON_PROGRAMS = sorted(
    (file.parent.name, file.stem) for file in HARNESS.parent.glob("*/*.py")
)


def available(suite):
    """The allocators of a suite that can run here."""
    return [name for name in suite.allocators if not suite.missing(name)]


def measured(suite, case, tmp_path, *options):
    """Runs one short round; the median of each metric by allocator."""
    allocators = available(suite)
    file = tmp_path / "result.json"
    subprocess.run(
        [
            *(sys.executable, str(ROOT / "bench" / "hakbench"), "run", suite.name),
            *("--quick", "--runs", "1", "--cases", case, "--json", str(file)),
            *("--allocators", ",".join(allocators), *options),
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


LUA_SUITES = [(LuaSuite, "lua5.4"), (LuaJITSuite, "luajit")]


@pytest.mark.parametrize("kind, program", LUA_SUITES, ids=["lua", "luajit"])
def test_a_lua_program_runs_under_every_allocator_that_is_here(kind, program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    suite = kind(Settings(quick=True))
    for allocator, medians in measured(suite, "trees", tmp_path).items():
        assert 0 < medians["time"] <= medians["wall"] * 1.5, allocator
        assert 500 < medians["end_rss"] <= medians["peak_rss"], allocator


def test_real_programs_run_under_every_allocator_that_is_here(tmp_path):
    suite = ProgramsSuite(Settings(quick=True))
    if suite.missing("system"):
        pytest.skip(suite.missing("system"))
    for case in ("perl", "git"):
        for allocator, medians in measured(suite, case, tmp_path).items():
            assert 0 < medians["time"] < 60, allocator
            assert 3000 < medians["peak_rss"] < 1 << 20, allocator


def test_a_program_that_fails_is_no_sample():
    suite = ProgramsSuite(Settings(quick=True))
    if suite.missing("system"):
        pytest.skip(suite.missing("system"))
    for command, why in ((["false"], "did not end well"), (["no-such-program"], "No such file")):
        with pytest.raises(SampleError, match=why):
            child.run([suite.runner, "-", *command], child.clean_environment())


@pytest.mark.skipif(shutil.which("lua5.4") is None, reason="no lua5.4")
def test_hakmem_can_be_preloaded_under_an_interpreter():
    suite = LuaSuite(Settings(quick=True))
    assert suite.missing("hakmem-preload") is None
    told = child.run(list(suite.map_reader), suite.environment("hakmem-preload")).stdout
    assert "libhakmem-preload.so" in told and "hakmem.so" not in told


@pytest.mark.skipif(shutil.which("luajit") is None, reason="no luajit")
@pytest.mark.parametrize("kind", [LuaSuite, LuaBurstSuite])
def test_luajit_has_its_own_module_and_no_peers(kind):
    suite = kind(Settings(lua="luajit"))
    assert suite.modules("hakmem").name == "jit"
    assert not set(suite.allocators) & set(LIBRARIES)
    with pytest.raises(UsageError, match="LuaJIT brings an allocator of its own"):
        check_allocators(suite, ["jemalloc"])


@lru_cache(maxsize=None)
def why_no_python():
    """Why Python programs cannot be run here with hakmem, or None."""
    try:
        return PythonChurnSuite(Settings(python=PYTHON)).missing("hakmem")
    except DriverError as error:
        return str(error)


def python_suite(kind):
    """A suite of Python programs; its tests need hakmem's package, or are skipped."""
    if why_no_python():
        pytest.skip(why_no_python())
    return kind(Settings(quick=True, python=PYTHON))


@pytest.mark.parametrize(("kind", "case"), PYTHON_SUITES)
def test_a_python_program_runs_under_every_allocator_that_is_here(kind, case, tmp_path):
    suite = python_suite(kind)
    found = measured(suite, case, tmp_path, "--python", PYTHON)
    assert {"hakmem", "pymalloc"} <= set(found)
    for allocator, medians in found.items():
        assert 0 < medians["time"] <= medians["wall"] * 1.5, allocator
        assert 5000 < medians["end_rss"] <= medians["peak_rss"], allocator
        # Only an installed hakmem has calls to tell.
        assert ("os_calls" in medians) == (allocator == "hakmem"), allocator
    assert found["hakmem"]["os_calls"] > 0


@pytest.mark.parametrize("profile", ["speed", "balanced", "lean"])
def test_a_profile_by_name_is_the_one_of_its_samples(profile):
    suite = python_suite(PythonChurnSuite)
    program = "import hakmem; hakmem.install(); print(hakmem.profile())"
    environment = suite.environment(f"hakmem-{profile}")
    outcome = child.run([suite.interpreter, "-c", program], environment)
    assert outcome.stdout == f"{profile}\n"


@pytest.mark.parametrize(("folder", "name"), PYTHON_PROGRAMS)
def test_every_python_program_runs_with_hakmem(folder, name):
    suite = python_suite(PythonChurnSuite)
    command = [suite.interpreter, str(HARNESS), folder, name, "0.02"]
    outcome = child.run(command, suite.environment("hakmem"))
    assert outcome.printed()["case"] == name
    assert outcome.printed()["os_calls"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["churn", "recrods"], "unknown program 'recrods'; known are: arithmetic, "),
        (["chrun", "records"], "no suite 'chrun': "),
        (["churn", "records", "fast"], "the scale must be a number above 0"),
    ],
)
def test_the_harness_says_what_it_does_not_know(arguments, told):
    done = subprocess.run(
        [sys.executable, HARNESS, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert told in done.stderr
