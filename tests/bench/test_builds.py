"""Each build of hakmem is measured under its own name only, and what is no measure of speed and a profile
that was not named are said out loud."""

import os
import shutil
import subprocess

import pytest
from driver import builds, child
from driver.metrics import THROUGHPUT
from driver.settings import ROOT, Settings
from test_results import summary

PYTHON = os.environ.get("PYTHON") or Settings.python
CAUTION = "hakmem-observe counts on every call: its times are not hakmem's speed"


def make(*arguments, cwd=ROOT):
    """Runs make; the finished process."""
    return subprocess.run(
        ["make", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=900
    )


def make_random_mixed(folder, *arguments):
    """The real program, built into a folder with such variables."""
    done = make(f"B={folder}", *arguments, f"{folder}/bench/random_mixed-hakmem")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A build folder with the standard program, and FAST ones in the profiles balanced and lean."""
    folder = tmp_path_factory.mktemp("build")
    make_random_mixed(folder)
    make_random_mixed(folder / "fast", "VARIANT=fast")
    make_random_mixed(folder / "lean" / "fast", "VARIANT=fast", "FAST_PROFILE=lean")
    return folder


@pytest.fixture(scope="module")
def observing(tmp_path_factory):
    """A folder as a build with CFLAGS=-DHAK_OBSERVE leaves it."""
    return make_random_mixed(tmp_path_factory.mktemp("build"), "CFLAGS=-DHAK_OBSERVE")


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """A folder with the Lua module and the Python package of FAST in the profile speed."""
    folder = tmp_path_factory.mktemp("fast")
    module = folder / "lua" / "5.4" / "hakmem.so"
    speed = "VARIANT=fast", "FAST_PROFILE=speed"
    done = make(f"B={folder}", *speed, f"PYTHON={PYTHON}", module, "python")
    assert done.returncode == 0, done.stderr
    return folder


def test_lua_says_that_a_profile_is_fixed(fast):
    script = """
local hakmem = require "hakmem"
assert(hakmem.build == "fast")
local function refused(...)
  local ok, message = pcall(...)
  assert(not ok and message:find("the profile of this build is fixed to speed", 1, true), message)
end
refused(hakmem.install, { profile = "lean" })
refused(hakmem.install, { settings = { carve = 8192 } })
assert(hakmem.install { profile = "speed", settings = { carve = 4096 } })
refused(hakmem.profile, "balanced")
refused(hakmem.configure, "pool=0")
assert(hakmem.profile "MIXED_TINYV3_C7_SAFE" == "speed")"""
    environment = {"LUA_CPATH": f"{fast}/lua/5.4/?.so"}
    child.run(["lua5.4", "-e", script], child.clean_environment(**environment))


def test_python_says_that_a_profile_is_fixed(fast):
    script = """
import hakmem
assert hakmem.build == "fast"
def refused(error, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except error as one:
        assert "the profile of this build is fixed" in str(one), one
    else:
        raise AssertionError(named)
refused(ValueError, hakmem.install, profile="lean")
refused(RuntimeError, hakmem.install, profile="MIXED_TINYV3_C7_BALANCED")
assert hakmem.install(profile="speed")
refused(ValueError, hakmem.profile, "balanced")
refused(ValueError, hakmem.configure, pool=0)
hakmem.configure(carve=4096)
assert hakmem.profile() == "speed" """
    (package,) = (fast / "python").iterdir()
    environment = {"PYTHONPATH": str(package)}
    child.run([PYTHON, "-c", script], child.clean_environment(**environment))


def run(build, folder, *arguments):
    arguments = ("random-mixed", "--cases", "ws400", "--quick", "--runs", "1", *arguments)
    return build.hakbench("run", *arguments, "--build", folder)


def test_each_build_is_measured_from_its_own_folder(build, real):
    status, stdout, stderr = run(build, real, "--allocators", "hakmem,hakmem-fast")
    assert status == 0, stderr
    assert "hakmem-fast" in stdout


def test_a_build_made_to_observe_is_not_measured_as_hakmem(build, observing):
    status, stdout, stderr = run(build, observing, "--allocators", "hakmem")
    assert status == 1
    assert not stdout
    assert "hakmem must be the build standard, but what is in " in stderr
    assert "is the build observe: run `make clean` and `make`" in stderr


@pytest.mark.parametrize("told", ["standard", "pgo", "observe", "debug"])
def test_another_build_in_the_place_of_fast_is_refused(build, told):
    build.program("hakmem", build=told, folder="fast")
    status, _, stderr = build.hakbench(
        "run", "random-mixed", "--allocators", "hakmem-fast"
    )
    assert status == 1
    assert f"is the build {told}: run `make clean` and `make fast`" in stderr


def test_a_program_that_does_not_say_which_build_it_is_is_refused(build):
    build.script(build.folder / "bench" / "random_mixed-hakmem", "echo '{\"mops\": 5}'")
    status, _, stderr = build.hakbench("run", "random-mixed", "--allocators", "hakmem")
    assert status == 1
    assert "does not say which build it is" in stderr


def test_a_fixed_profile_is_not_measured_as_another(build, real):
    status, _, stderr = run(
        build, real, "--allocators", "hakmem-fast", "--profile", "lean"
    )
    assert status == 1
    assert "hakmem-fast runs in the profile balanced, not in lean: " in stderr
    assert "run `make fast FAST_PROFILE=lean`" in stderr
    lean = ("--allocators", "hakmem-fast", "--profile", "lean")
    status, _, stderr = run(build, real / "lean", *lean)
    assert status == 0, stderr


def test_a_profile_of_fast_that_there_is_not_is_told():
    done = make("-n", "fast", "FAST_PROFILE=quick")
    assert done.returncode != 0
    assert "FAST_PROFILE is 'quick', accepted are: speed, balanced, lean" in done.stderr


# ---------------------------------------------------------------- what is said out loud


def test_a_profile_that_was_not_named_is_told(build):
    build.program("hakmem")
    arguments = ("random-mixed", "--runs", "1", "--allocators", "hakmem")
    _, unnamed, _ = build.hakbench("run", *arguments)
    _, named, _ = build.hakbench("run", *arguments, "--profile", "balanced")
    told = "HAKMEM_PROFILE=balanced (the default: no --profile was named)"
    assert told in unnamed
    assert "HAKMEM_PROFILE=balanced\n" in named
    meta = build.records(*arguments)["meta"]
    assert (meta["profile"], meta["profile_named"]) == ("balanced", False)
    meta = build.records(*arguments, "--profile", "lean")["meta"]
    assert (meta["profile"], meta["profile_named"]) == ("lean", True)


def test_a_profile_that_there_is_not_is_a_usage_error(build):
    build.all_programs()
    status, _, stderr = build.hakbench("run", "random-mixed", "--profile", "sped")
    assert status == 2
    assert "unknown profile 'sped'; accepted: speed, balanced, lean, custom" in stderr


def test_variables_of_the_caller_are_told_and_not_passed_on(build):
    seen = build.folder / "seen"
    build.program("hakmem", body=f"env > {seen}")
    file = build.folder / "result.json"
    status, stdout, stderr = build.hakbench(
        *("run", "random-mixed", "--runs", "1", "--allocators", "hakmem"),
        *("--json", file),
        HAKMEM_CARVE="65536",
        HAKMEM_PROFILE="lean",
    )
    assert status == 0, stderr
    assert "not passed on from the environment: HAKMEM_CARVE, HAKMEM_PROFILE" in stdout
    variables = seen.read_text(encoding="utf-8").splitlines()
    assert "HAKMEM_PROFILE=balanced" in variables
    assert not [one for one in variables if one.startswith("HAKMEM_CARVE")]
    assert '"HAKMEM_CARVE"' in file.read_text(encoding="utf-8")


def test_times_of_a_build_that_observes_are_told_to_be_none(build):
    build.program("hakmem", mops=100)
    build.program("hakmem", mops=30, folder="observe", build="observe")
    arguments = ("random-mixed", "--runs", "1", "--allocators", "hakmem-observe,hakmem")
    status, stdout, stderr = build.hakbench("run", *arguments)
    assert status == 0, stderr
    assert stdout.count(f"!!! {CAUTION} !!!\n") == 2
    _, table, _ = stdout.split(CAUTION)
    rows = [line.split() for line in table.splitlines()]
    assert ["ws400", "30.0", "100.0"] in rows, "with no ratio"
    assert build.records(*arguments)["meta"]["cautions"] == [CAUTION]
    alone = ("random-mixed", "--runs", "1", "--allocators", "hakmem")
    assert build.records(*alone)["meta"]["cautions"] == []


def test_a_build_that_observes_is_never_what_others_are_compared_with():
    cells = {"hakmem-observe": {"a": 1.0}, "mimalloc": {"a": 9.0}, "system": {"a": 3.0}}
    one = summary(THROUGHPUT, cells)
    assert one.own == "mimalloc"
    alone = summary(THROUGHPUT, {"hakmem-observe": {"a": 1.0}})
    assert alone.own is None
    assert alone.best_peer() is None
    assert alone.ratio("hakmem-observe") is None


def test_the_folder_of_a_build_is_its_name(tmp_path):
    settings = Settings(build=tmp_path)
    assert builds.folder("hakmem", settings) == tmp_path
    assert builds.folder("hakmem-lean", settings) == tmp_path
    assert builds.folder("hakmem-fast", settings) == tmp_path / "fast"


@pytest.mark.parametrize("compiler", ["musl-gcc", "aarch64-linux-gnu-gcc"])
def test_the_core_builds_with_other_compilers(compiler, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    done = make(f"B={tmp_path}", f"CC={compiler}", "core")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr
