"""Environments for the programs of the documents."""

import os

import pytest

from documents import PYTHON, PYTHON_VERSION, ROOT, run


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """Where `make install` has put everything."""
    path = tmp_path_factory.mktemp("installed")
    run(["make", "-C", str(ROOT), "install", f"PREFIX={path}"])
    return path


@pytest.fixture
def lua_environment(prefix):
    return dict(os.environ, LUA_CPATH=f"{prefix}/lib/lua/5.4/?.so;;")


@pytest.fixture
def python_environment(tmp_path):
    """`python3` is the interpreter that the package is built for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(PYTHON)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return dict(os.environ, PATH=path, PYTHONPATH=str(ROOT / "build" / "python" / PYTHON_VERSION))
