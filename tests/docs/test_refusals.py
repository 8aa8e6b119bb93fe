"""Where hakmem cannot be built, one line says so and what to do, before a compiler is asked."""

import glob
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from documents import PYTHON, PYTHON_VERSION, ROOT

OLD = sorted(glob.glob(f"{os.environ.get('PYENV_ROOT', Path.home() / '.pyenv')}/versions/*/bin/python"))
OLD = [path for path in OLD if re.search(r"/versions/(2\.7|3\.[0-8])\.", path)]
if not OLD:
    OLD = [pytest.param("", marks=pytest.mark.skip(reason="no Python older than 3.9 is here"))]


def make(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS")) and k != "PYTHON"}
    return subprocess.run(
        ["make", "-s", *map(str, arguments)], cwd=ROOT, env={**clean, **environment},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def stand_in(path, code):
    """A Python that finds itself in other circumstances: `code` goes before what it runs."""
    path.write_text(
        f"#!{PYTHON}\nimport runpy, sys, sysconfig\n{code}\nsys.argv = sys.argv[1:]\n"
        "sys.path.insert(0, sys.argv[0].rpartition('/')[0])\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    path.chmod(0o755)
    return path


def assert_refused(done, build, *parts):
    told, *rest = done.stderr.splitlines()
    assert done.returncode != 0 and all(part in told for part in parts), done.stderr
    assert all(line.startswith("make: ***") for line in rest), done.stderr
    assert not list(build.rglob("*.o"))


@pytest.mark.parametrize("python", OLD)
def test_make_tells_an_old_python(python, tmp_path):
    done = make("python", f"PYTHON={python}", f"B={tmp_path}")
    assert_refused(done, tmp_path, "hakmem needs CPython 3.9 or later, and this is CPython ", python)


@pytest.mark.parametrize("python", OLD)
def test_pip_tells_an_old_python(python, tmp_path):
    if "/2.7" in python:
        pytest.skip("its pip cannot read how hakmem is built")
    for name in ("core", "bindings"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    command = [python, "-m", "pip", "install", "--no-deps", "--target", tmp_path / "to", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "hakmem needs" in line]
    assert done.returncode != 0 and len(told) == 1, done.stdout + done.stderr
    assert "CPython 3.9 or later, and this is CPython 3." in told[0]


CIRCUMSTANCES = {
    "without headers": (
        "sysconfig.get_path = lambda name: '/nowhere'",
        ["there is no /nowhere/Python.h", f"python{PYTHON_VERSION}-dev", "python3-devel"],
    ),
    "another implementation": (
        "import platform\nplatform.python_implementation = lambda: 'PyPy'",
        ["needs CPython 3.9 or later, and this is PyPy 3."],
    ),
}


@pytest.mark.parametrize("circumstance", CIRCUMSTANCES)
def test_make_tells_a_python_that_is_none_for_hakmem(circumstance, tmp_path):
    code, told = CIRCUMSTANCES[circumstance]
    python = stand_in(tmp_path / "python", code)
    assert_refused(make("python", f"PYTHON={python}", f"B={tmp_path}"), tmp_path, *told)


@pytest.mark.parametrize("circumstance", CIRCUMSTANCES)
def test_pip_tells_a_python_that_is_none_for_hakmem(circumstance, tmp_path):
    """By the project's setup.py, without setuptools in the way."""
    code, told = CIRCUMSTANCES[circumstance]
    (tmp_path / "setuptools" / "command").mkdir(parents=True)
    (tmp_path / "setuptools" / "__init__.py").write_text(
        "class Extension:\n    def __init__(self, *a, **b): pass\n"
        "def setup(cmdclass, **rest): cmdclass['build_ext']().build_extension(None)\n"
    )
    (tmp_path / "setuptools" / "command" / "__init__.py").touch()
    (tmp_path / "setuptools" / "command" / "build_ext.py").write_text("class build_ext: pass\n")
    python = stand_in(tmp_path / "python", f"sys.path.insert(0, {str(tmp_path)!r})\n{code}")
    command = [python, "./setup.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and len(done.stderr.splitlines()) == 1, done.stderr
    assert all(part in done.stderr for part in told), done.stderr


def test_a_python_that_nobody_has_named_is_left_out(tmp_path):
    """So `make` still builds the rest on a system without Python's headers."""
    rules = (ROOT / "bindings/python/python.mk").read_text()
    assert "\nPYTHON ?= " in rules
    python = stand_in(tmp_path / "python", CIRCUMSTANCES["without headers"][0])
    for name in ("core", "scripts", "bench", "tests", "Makefile", "variants.mk"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "bindings", tmp_path / "bindings")
    (tmp_path / "bindings/python/python.mk").write_text(
        re.sub(r"^PYTHON \?= .*", f"PYTHON ?= {python}", rules, flags=re.M)
    )
    goals = "python", "everything", "install"
    done = {goal: make("-C", tmp_path, "-n", goal) for goal in goals}
    assert "\nexit 1\n" in done["python"].stdout
    for goal in goals[1:]:
        assert done[goal].returncode == 0, done[goal].stderr
        assert "  without  Python: hakmem needs Python" in done[goal].stdout
        assert "\nexit 1\n" not in done[goal].stdout and "libhakmem.so" in done[goal].stdout


def test_the_core_tells_another_system():
    """By its first line."""
    sources = sorted(ROOT.glob("core/*/*.c"))
    command = ["cc", "-std=gnu11", "-U__linux__", "-fsyntax-only", "-I", ROOT / "core", sources[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if " error: " in line]
    assert done.returncode != 0 and errors
    assert '"hakmem needs Linux: its mmap, mremap and madvise"' in errors[0]


@pytest.mark.parametrize("system, told", [
    ('PRETTY_NAME="Fedora Linux 41"\n', "this is Fedora Linux 41, which has no dpkg; install by hand"),
    (None, "hakmem needs Linux"),
])  # fmt: skip
def test_a_system_without_apt_is_told_what_to_install(tmp_path, system, told):
    """deps.sh, which `make demo` and `make test` begin with."""
    script = (ROOT / "scripts/deps.sh").read_text()
    if system:
        (tmp_path / "os-release").write_text(system)
    (tmp_path / "deps.sh").write_text(script.replace("/etc/os-release", str(tmp_path / "os-release")))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("tr", "sh"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "uname").write_text(f"#!/bin/sh\necho {'Linux' if system else 'Darwin'}\n")
    (tools / "uname").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", tmp_path / "deps.sh", "demo"], env={"PATH": str(tools)}, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert told in done.stderr
    assert system is None or " python3-dev" in done.stderr and "`make core`" in done.stderr
