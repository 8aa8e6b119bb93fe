"""Each name that a Python file uses is imported or defined, and each import is used: also where a branch is
taken on some machines only."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bench", "bindings", "scripts", "tests")
CHECKER = "pyflakes3"


@pytest.mark.skipif(not shutil.which(CHECKER), reason=f"{CHECKER} is missing: `make deps` installs it")
def test_names_are_defined_and_imports_are_used():
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    done = subprocess.run([CHECKER, *map(str, files)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
