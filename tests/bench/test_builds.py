"""Each build of hakmem is measured under its own name only, and what is no measure of speed, a profile
that was not named and one that is stale are said out loud."""

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
        ["make", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
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


# ---------------------------------------------------------------- the profile of PGO


class Tree:
    """A copy of the sources, with a small profile whose data gcc has written."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("core", "bindings", "scripts", "bench"):
            shutil.copytree(ROOT / name, folder / name, symlinks=True)
        for name in ("Makefile", "variants.mk", "tests"):
            (folder / name).symlink_to(ROOT / name)
        self.profile = folder / "build" / "pgo" / "profile"
        self.profile.mkdir(parents=True)
        (self.profile / "a.c").write_text("int main(void) { return 0; }\n")
        self.checked("cc", "-fprofile-generate=.", "a.c", "-o", "a")
        self.checked("./a")
        (self.profile / "a.c").unlink()
        data = self.checked("sh", "-c", "sha256sum -- *.gcda | sed 's/^/data /'")
        stamp = self.pgo("stamp")
        assert stamp.returncode == 0, stamp.stderr
        (self.profile / "stamp").write_text(stamp.stdout + data)

    def checked(self, *command):
        done = subprocess.run(command, cwd=self.profile, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pgo(self, *arguments, **variables):
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **{"CC": "cc", "FLAGS": "-O2", "PYTHON_VERSION": "3.11", **variables},
        }
        return subprocess.run(
            [self.folder / "scripts" / "pgo.sh", *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )

    def check(self, **variables):
        """Status and message of the check that every build begins with."""
        done = self.pgo("check", "build/pgo/profile", **variables)
        return done.returncode, done.stderr


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "tree")


def test_a_profile_of_the_same_sources_is_accepted(tree):
    assert tree.check() == (0, "")


def test_a_source_that_has_changed_is_named(tree):
    with (tree.folder / "core" / "heap" / "slab.h").open("a") as source:
        source.write("/* another */\n")
    status, told = tree.check()
    assert status == 1
    assert "these sources have changed: core/heap/slab.h. Train it anew: make pgo-train" in told


def test_sources_that_came_and_went_are_named(tree):
    (tree.folder / "core" / "heap" / "new.c").touch()
    (tree.folder / "core" / "heap" / "holes.c").unlink()
    status, told = tree.check()
    assert status == 1
    assert "these sources have changed: core/heap/holes.c core/heap/new.c. Train" in told


def test_other_flags_are_told(tree):
    status, told = tree.check(FLAGS="-O3")
    assert status == 1
    assert "compiler's flags '-O2', and now it is '-O3'. Train it anew" in told


def test_another_python_is_told(tree):
    status, told = tree.check(PYTHON_VERSION="3.12")
    assert status == 1
    assert "Python version '3.11', and now it is '3.12'" in told


def test_another_compiler_is_told(tree):
    other = tree.folder / "other-cc"
    other.write_text("#!/bin/sh\necho 'gcc (Another) 99.1'\n")
    other.chmod(0o755)
    status, told = tree.check(CC=str(other))
    assert status == 1
    assert "trained with the compiler '" in told
    assert "now it is '(Another) 99.1'" in told


def test_the_same_compiler_by_another_name_is_the_same(tree):
    assert tree.check(CC="gcc") == tree.check(CC="cc") == (0, "")


def test_data_that_is_damaged_or_missing_is_told(tree):
    (data,) = tree.profile.glob("*.gcda")
    content = data.read_bytes()
    data.write_bytes(content[:-1])
    status, told = tree.check()
    assert status == 1
    assert f"the profile is damaged: {data.name}. Train it anew" in told
    data.unlink()
    assert tree.check()[0] == 1
    data.write_bytes(content)
    assert tree.check()[0] == 0


def test_a_profile_that_there_is_not_is_told(tree):
    (tree.profile / "stamp").unlink()
    status, told = tree.check()
    assert status == 1
    assert "there is no profile in build/pgo/profile. Train one: make pgo-train" in told


def test_make_refuses_a_stale_profile_before_it_builds(tree):
    done = make("pgo", cwd=tree.folder)  # its flags are not -O2 alone
    assert done.returncode != 0
    assert "the profile is stale: it was trained with the compiler's flags '-O2'" in done.stderr
    assert not (tree.folder / "build" / "pgo" / "libhakmem.a").exists()


def test_a_compiler_that_has_no_such_profiles_is_told(tree):
    status = tree.pgo("compiler", CC="true")
    assert status.returncode == 1
    assert "needs gcc 12 or later, and CC is 'true'" in status.stderr
    assert tree.pgo("compiler").returncode == 0


def test_a_function_that_does_not_fit_its_profile_is_an_error(tree):
    """What the check of the sources would miss, the compiler does not."""
    program = "build/pgo/bench/random_mixed-hakmem"
    made = make("B=build/pgo", "VARIANT=training", program, cwd=tree.folder)
    assert made.returncode == 0, made.stderr
    subprocess.run([tree.folder / program, "--ops", "1000"], check=True, cwd=tree.folder)
    shutil.rmtree(tree.folder / "build" / "pgo" / "static")
    source = tree.folder / "core" / "heap" / "slab.c"
    text = source.read_text(encoding="utf-8")
    # (On the same lines: a function is known by its line too.)
    more = "    { extern volatile int more; if (more) more = 2; } for ("
    assert text.count("    for (") > 0
    source.write_text(text.replace("    for (", more))
    object_file = "build/pgo/static/core/heap/slab.o"
    made = make("B=build/pgo", "VARIANT=pgo", object_file, cwd=tree.folder)
    assert made.returncode != 0
    assert "[-Werror=coverage-mismatch]" in made.stderr


def test_a_stale_build_is_not_measured(build):
    pgo = build.folder / "pgo"
    build.program("hakmem", folder="pgo", build="pgo")
    arguments = ("run", "random-mixed", "--runs", "1", "--allocators", "hakmem-pgo")
    status, _, stderr = build.hakbench(*arguments)
    assert status == 1
    assert "hakmem-pgo is not built: there is no " in stderr
    assert "run `make pgo`" in stderr

    sources = subprocess.run(
        "sha256sum core/*.h core/*/*.[ch] bindings/*.[chi] bindings/module.map bindings/*/*.[chi] bench/*.c"
        " | sed 's/^/source /'",
        shell=True, cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (pgo / "stamp").write_text(sources)
    assert builds.stale(pgo) is None
    status, _, stderr = build.hakbench(*arguments)
    assert status == 0, stderr

    lines = sources.splitlines(keepends=True)
    (first,) = [one for one in lines if one.endswith(" core/heap/bins.c\n")]
    (pgo / "stamp").write_text(sources.replace(first, first.replace(first[7:11], "0000", 1)))
    status, stdout, stderr = build.hakbench(*arguments)
    assert status == 1
    assert not stdout
    assert "the profile is stale: since it was trained, these sources have changed: core/heap/bins.c" in stderr


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
