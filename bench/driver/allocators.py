"""The allocators that can be compared, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Optional

from . import child


@dataclass(frozen=True)
class Library:
    """A peer as Debian ships it."""

    soname: str
    package: str


LIBRARIES = {
    "mimalloc": Library("libmimalloc.so.2", "libmimalloc2.0"),
    "jemalloc": Library("libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": Library("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
}

HAKMEM = "hakmem"

FAST, OBSERVE, PGO = "hakmem-fast", "hakmem-observe", "hakmem-pgo"

# Builds of hakmem beside the standard one, each in a folder of its own; see builds.py.
BUILDS = (FAST, PGO, OBSERVE)

# These, and the standard one preloaded, with the command that makes each.
VARIANTS = {
    FAST: "make fast",
    OBSERVE: "make observe",
    PGO: "make pgo",
    "hakmem-preload": "make preload",
}

# The standard build in the profile that --profile names, and in each one by name.
PROFILES = (HAKMEM, "hakmem-speed", "hakmem-balanced", "hakmem-lean")

SYSTEM = "system"

# The best peer of a suite is the best one of these.
PEERS = (*LIBRARIES, SYSTEM)

READ_MAPS = ("cat", "/proc/self/maps")

ALL = (*PROFILES, *VARIANTS, *PEERS, "lua-default", "pymalloc", "null")


def is_hakmem(allocator: str) -> bool:
    """Whether hakmem's own settings, such as the profile, apply to it."""
    return allocator in PROFILES or allocator in VARIANTS


def is_installed(allocator: str) -> bool:
    """Whether it is a hakmem that a script's interpreter loads."""
    return allocator in PROFILES or allocator in BUILDS


def profile_of(allocator: str, chosen: str) -> str:
    """The profile that a hakmem runs in, where `chosen` is the session's."""
    return allocator.partition("-")[2] if allocator in PROFILES[1:] else chosen


def how_to_build(allocator: str) -> str:
    """The command that builds a hakmem, or the programs linked with a peer."""
    return VARIANTS.get(allocator, "make")


@lru_cache(maxsize=None)
def mapped_path(library: Library, reader: tuple[str, ...]) -> Optional[str]:
    """The file that the dynamic linker maps for a preloaded library, or None.

    `reader` is a command that prints its own /proc/self/maps. So the linker itself
    is asked, whatever the architecture. A library it cannot load is only a warning
    to it: the program would run on, with the wrong allocator.
    """
    environment = child.clean_environment(LD_PRELOAD=library.soname)
    for line in child.run(list(reader), environment).stdout.splitlines():
        path = line.split(maxsplit=5)[-1]
        if Path(path).name.startswith(library.soname):
            return path
    return None


def missing_library(
    allocator: str, reader: tuple[str, ...] = READ_MAPS
) -> Optional[str]:
    """Why a peer's library cannot be used here, or None when it can."""
    library = LIBRARIES[allocator]
    if mapped_path(library, reader):
        return None
    return (
        f"{allocator} needs {library.soname}: install the Debian package "
        f"{library.package}"
    )
