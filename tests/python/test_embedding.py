"""Programs that embed Python and are linked with hakmem: the cases of embed/, with the libpython of
every interpreter."""

import os
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, GIVEN, ROOT


@pytest.fixture(scope="session")
def program(python, tmp_path_factory):
    """embed/*.c, linked with the interpreter's libpython; its symbols are visible to modules."""
    if GIVEN:
        return python.package / "program"
    config = f"{os.path.realpath(python.program)}-config"
    version = "%d.%d" % python.version
    if not os.path.exists(config):
        pytest.skip(f"{config} is missing: install python3-dev")
    subprocess.run(["make", "-s", "libs", f"PYTHON={python.program}"], cwd=ROOT, check=True)

    def flags(*options):
        return subprocess.check_output([config, "--embed", *options], text=True).split()

    path = tmp_path_factory.mktemp("embed") / f"embed-{version}"
    done = subprocess.run(
        [os.environ.get("CC", "cc"), "-O1", "-g", "-Wall", "-Wextra", "-rdynamic"]
        + [*flags("--includes"), "-Icore", "-Ibindings/python"]
        + [*Path(ROOT, "tests/python/embed").glob("*.c"), "-o", path]
        + [BUILD / f"libhakmem_python{version}.a", BUILD / "libhakmem.a"]
        + [*flags("--ldflags"), "-pthread", "-ldl"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if "cannot find -lpython" in done.stderr:
        pytest.skip(f"no libpython{version}")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr
    return path


def embed(python, program, case, env={}):
    # (It would look for its library beside the python3 of PATH, which may be another one of this version.)
    home = python.run("-c", "import sys; print(sys.base_prefix)").stdout.strip()
    done = subprocess.run(
        [program, case],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONHOME": home,
            "PYTHONPATH": str(python.package),
            **env,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "case",
    [
        "before_initialize",
        "after_preinitialize",
        "after_initialize",
        "initialized_again",
        "installed_again",
        "observed",
        "observed_calls",
        "observed_again",
        "observed_without_memory",
        "observed_below_a_hook",
        "observed_below_a_tracer",
        "memory_errors",
        "limit",
        "smaller_at_the_limit",
        "wrong_options",
        "builtin_module",
        "other_copy",
        "other_copy_first",
        "below_a_hook",
        "no_memory_for_the_module",
        "sub_interpreter",
        "locked",
        "locked_while_observed",
    ],
)
def test_embedding(python, program, case):
    embed(python, program, case)


@pytest.mark.parametrize(
    "case",
    [
        "own_gils",
        "installed_beside_own_gils",
        "observed_beside_own_gils",
        "fork_beside_own_gils",
    ],
)
def test_embedding_interpreters_with_their_own_gil(python, program, case):
    if python.version < (3, 12):
        pytest.skip("all interpreters share the GIL before 3.12")
    embed(python, program, case)


def test_embedding_with_kinds(python, program):
    embed(python, program, "observed_calls", {"HAKMEM_KINDS": "1"})


@pytest.mark.parametrize("malloc", ["debug", "malloc", "malloc_debug", "pymalloc"])
@pytest.mark.parametrize("case", ["after_preinitialize", "after_initialize", "installed_again"])
def test_embedding_with_pythonmalloc(python, program, case, malloc):
    embed(python, program, case, {"PYTHONMALLOC": malloc})
