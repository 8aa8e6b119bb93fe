"""What is preloaded in place of malloc: a peer's library, or hakmem's own."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from . import builds
from .allocators import PRELOAD, how_to_build
from .peers import LIBRARIES, READ_MAPS, is_mapped, mapped_path, missing_library
from .settings import Settings

# All that can be.
ALL = (PRELOAD, *LIBRARIES)


def library(
    allocator: str, settings: Settings, reader: tuple[str, ...] = READ_MAPS
) -> Optional[Path]:
    """The file; None: nothing is preloaded, or a peer is not here.

    `reader` is a command that prints its own /proc/self/maps.
    """
    if allocator == PRELOAD:
        return builds.folder(allocator, settings) / "libhakmem-preload.so"
    found = mapped_path(allocator, reader) if allocator in LIBRARIES else None
    return Path(found) if found else None


def missing(
    allocator: str, settings: Settings, reader: tuple[str, ...] = READ_MAPS
) -> Optional[str]:
    """Why one of ALL cannot be preloaded here and what to do, else None."""
    if allocator in LIBRARIES:
        return missing_library(allocator, reader)
    file = library(allocator, settings)
    if file and not file.is_file():
        return f"{allocator} is not built: there is no {file}; run `{how_to_build(allocator)}`"
    if file and not is_mapped(str(file.resolve()), reader):
        return f"{allocator} is not loaded by {reader[0]}"
    return None


def variables(
    allocator: str, settings: Settings, reader: tuple[str, ...] = READ_MAPS
) -> dict[str, str]:
    """What the environment needs for it."""
    file = library(allocator, settings, reader)
    return {"LD_PRELOAD": str(file)} if file else {}
