"""Two builds of the same sources give the same bytes, wherever they are made."""

import shutil

import pytest
from driver.settings import ROOT, Settings
from test_builds import make

MADE = "libhakmem.a", "libhakmem.so", "hakmem", "libhakmem_*.a", "lua/*/hakmem.so", "python/*/hakmem/*.so"


def copied_to(folder):
    """A copy of the sources."""
    for name in ("core", "bindings", "scripts", "bench", "tests"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True)
    for name in ("Makefile", "variants.mk"):
        shutil.copy(ROOT / name, folder)
    return folder


def made_in(folder, *arguments):
    """What make makes in a copy: the bytes by the name."""
    done = make("-j2", *arguments, f"PYTHON={Settings.python}", cwd=folder)
    assert done.returncode == 0, done.stderr
    build = folder / "build"
    return {
        str(path.relative_to(build)): path.read_bytes() for kind in MADE for path in build.glob(kind)
    }


GCC = "CC=gcc", "core", "lua5.4", "python"
CLANG = "CC=clang", "AR=llvm-ar", "core"


@pytest.mark.parametrize("goals, count", [(GCC, len(MADE) + 1), (CLANG, 3)], ids=["gcc", "clang"])
def test_two_folders_give_the_same_bytes(tmp_path, goals, count):
    # (Optimization does not have to do with it, but takes time.)
    folders = [copied_to(tmp_path / name) for name in ("one", "another/further/down")]
    first, second = (made_in(folder, *goals, "OPT=-O0") for folder in folders)
    assert len(first) == count and first.keys() == second.keys()
    assert not [name for name in first if first[name] != second[name]]
    told = [name for name, made in first.items() if str(tmp_path).encode() in made]
    assert not told, "the folder is in them"
