"""A profile of PGO belongs to the sources, the compiler and the flags that it was trained with; one that is
stale is said out loud."""

import shutil
import subprocess

import pytest
from driver import builds
from driver.settings import ROOT
from test_builds import make


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


def test_the_data_of_a_profile_are_named_within_the_folder_of_the_build(tree):
    """So that the data of one build fit the other, wherever the sources are."""
    name = "static/core/heap/slab.o"
    made = make("B=build/pgo", "VARIANT=training", f"build/pgo/{name}", cwd=tree.folder)
    assert (made.returncode, made.stderr) == (0, "")
    data = f"{tree.folder}/build/pgo/profile/static#core#heap#slab.gcda"
    assert data.encode() in (tree.folder / "build/pgo" / name).read_bytes()


def test_a_profile_is_trained_and_used(tree):
    """A fiftieth of the training, but each part of it."""
    shutil.rmtree(tree.profile)
    made = make("pgo", "TRAINING=short", cwd=tree.folder)
    assert made.returncode == 0, made.stdout + made.stderr
    program = tree.folder / "build" / "pgo" / "bench" / "random_mixed-hakmem"
    assert '"build": "pgo"' in tree.checked(program, "--ops", "1")
    made = make("--no-print-directory", "pgo", "TRAINING=short", cwd=tree.folder)
    assert (made.returncode, made.stdout) == (0, ""), "what is up to date is neither trained nor built anew"
    made = make("pgo", cwd=tree.folder)
    assert made.returncode == 2
    assert "trained with the length of training 'short', and now it is 'full'" in made.stderr


def test_a_folder_in_which_gcc_would_not_find_the_data_is_told(tree):
    made = make("pgo", f"B={tree.folder}/build", cwd=tree.folder)
    assert made.returncode == 2
    assert "gcc finds the data of a profile by relative names only" in made.stderr


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
