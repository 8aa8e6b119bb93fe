"""The peers' libraries: which files they are, and of which version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Optional

from . import child
from .settings import ROOT

# Where scripts/peers.sh puts those that the system does not have.
FOLDER = ROOT / "build" / "peers"

READ_MAPS = ("cat", "/proc/self/maps")


@dataclass(frozen=True)
class Library:
    """A peer: the newest of the system's libraries, and of FOLDER's, with such a name."""

    names: str  # regular expression
    remedy: str  # how to get it


LIBRARIES = {
    "mimalloc": Library(
        r"libmimalloc\.so\.2[.\d]*", "install the Debian package libmimalloc2.0 (Debian 12)"
    ),
    "mimalloc3": Library(r"libmimalloc\.so\.3[.\d]*", "run `make peers`"),
    "jemalloc": Library(
        r"libjemalloc\.so\.\d[.\d]*", "install the Debian package libjemalloc2"
    ),
    "tcmalloc": Library(
        r"libtcmalloc_minimal\.so\.\d[.\d]*",
        "install the Debian package libtcmalloc-minimal4 "
        "(libtcmalloc-minimal4t64 from Debian 13 on)",
    ),
    "snmalloc": Library(r"libsnmallocshim\.so", "run `make peers`"),
}


@lru_cache(maxsize=None)
def known_files() -> tuple[str, ...]:
    """The libraries that the dynamic linker finds by name, and those of FOLDER."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/sbin", "/usr/sbin"))
    ldconfig = shutil.which("ldconfig", path=path)
    told = ""
    if ldconfig:
        told = subprocess.run([ldconfig, "-p"], capture_output=True, text=True).stdout
    of_the_system = re.findall(r"=> (/.+)$", told, re.MULTILINE)
    return (*of_the_system, *map(str, sorted(FOLDER.glob("*.so*"))))


def files_of(library: Library) -> list[str]:
    """The files that may be a peer, the newest first."""
    found = [file for file in known_files() if re.fullmatch(library.names, Path(file).name)]

    def age(file: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", Path(file).name)]

    return sorted(found, key=age, reverse=True)


@lru_cache(maxsize=None)
def mapped_path(allocator: str, reader: tuple[str, ...] = READ_MAPS) -> Optional[str]:
    """The file of a peer that a program maps if it is preloaded, or None.

    `reader` is a command that prints its own /proc/self/maps. So the linker itself
    is asked, whatever the architecture. A library it cannot load is only a warning
    to it: the program would run on, with the wrong allocator.
    """
    files = files_of(LIBRARIES[allocator])
    return next((file for file in files if is_mapped(file, reader)), None)


def is_mapped(file: str, reader: tuple[str, ...]) -> bool:
    """Whether a program maps a library that is preloaded."""
    told = child.run(list(reader), child.clean_environment(LD_PRELOAD=file)).stdout
    mapped = {line.split(maxsplit=5)[-1] for line in told.splitlines() if line}
    return os.path.realpath(file) in mapped


def missing_library(
    allocator: str, reader: tuple[str, ...] = READ_MAPS
) -> Optional[str]:
    """Why a peer's library cannot be used here, or None when it can."""
    if mapped_path(allocator, reader):
        return None
    return f"{allocator} is not here: {LIBRARIES[allocator].remedy}"


@lru_cache(maxsize=None)
def version_of(file: str) -> str:
    """A library's version, by the package that has it."""
    told = Path(f"{file}.version")
    if told.is_file():
        return told.read_text().strip()
    if shutil.which("dpkg-query"):
        for path in (os.path.realpath(file), file):
            ask = ["dpkg-query", "--search", path]
            owner = subprocess.run(ask, capture_output=True, text=True).stdout
            show = ["dpkg-query", "--show", "--showformat=${Version}", owner.partition(": ")[0]]
            if owner:
                return subprocess.run(show, capture_output=True, text=True).stdout
    return "of an unknown version"


def versions(allocators: Iterable[str]) -> dict[str, str]:
    """{peer: version} of the peers among these."""
    found = {name: mapped_path(name) for name in allocators if name in LIBRARIES}
    return {name: version_of(file) for name, file in found.items() if file}


def render() -> str:
    """The text of `hakbench peers`: a line for each one that is here."""
    found = [(name, mapped_path(name)) for name in LIBRARIES]
    return "".join(f"{name} {file} {version_of(file)}\n" for name, file in found if file)
