"""The builds of hakmem: where each lies, and whether a program is of the one it should be."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Optional

from . import child
from .allocators import BUILDS, FAST, OBSERVE, PGO, how_to_build, profile_of
from .settings import ROOT, Settings

STANDARD = "standard"
PROFILE_CHECK = ROOT / "scripts" / "pgo.sh"

# The profiles, and the names that were before.
PROFILES = {
    "speed": "speed",
    "balanced": "balanced",
    "lean": "lean",
    "custom": "custom",
    "MIXED_TINYV3_C7_SAFE": "speed",
    "MIXED_TINYV3_C7_BALANCED": "balanced",
}

# What is said of times that are not those of a build for use.
CAUTIONS = {
    OBSERVE: f"{OBSERVE} counts on every call: its times are not hakmem's speed",
}


def name_of(allocator: str) -> str:
    """What hak_build() must say."""
    return allocator.partition("-")[2] if allocator in BUILDS else STANDARD


def folder(allocator: str, settings: Settings) -> Path:
    """Where the programs, modules and packages of a hakmem are built."""
    if allocator in BUILDS:
        return settings.build / name_of(allocator)
    return settings.build


def refusal(
    allocator: str, settings: Settings, command: list[str], environment: dict[str, str]
) -> Optional[str]:
    """Why a hakmem must not be measured under its name, or None when it may.

    `command` is something short that prints "build" and "profile". Raises
    SampleError if it fails.
    """
    if allocator == PGO:
        reason = stale(folder(allocator, settings))
        if reason:
            return reason
    printed = child.run(command, environment).printed()
    build, profile = printed.get("build"), printed.get("profile")
    if build != name_of(allocator):
        told = f"is the build {build}" if build else "does not say which build it is"
        return (
            f"{allocator} must be the build {name_of(allocator)}, but what is in "
            f"{folder(allocator, settings)} {told}: "
            f"run `make clean` and `{how_to_build(allocator)}`"
        )
    wanted = PROFILES.get(profile_of(allocator, settings.profile))
    if profile != wanted:
        remedy = f": say --profile {profile}, or run `make fast FAST_PROFILE={wanted}`"
        return (
            f"{allocator} runs in the profile {profile}, not in {wanted}"
            + (remedy if allocator == FAST else "")
        )
    return None


def stale(build: Path) -> Optional[str]:
    """Why the profile of a profile-guided build does not fit the sources, or None."""
    stamp = build / "stamp"
    if not stamp.is_file():
        return f"{PGO} is not built: there is no {stamp}; run `{how_to_build(PGO)}`"
    check = [str(PROFILE_CHECK), "sources", str(stamp.resolve())]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    return f"{PGO}: {done.stderr.strip()}" if done.returncode else None


def cautions(allocators: list[str]) -> list[str]:
    """What must be said beside the figures of these allocators."""
    return [CAUTIONS[name] for name in allocators if name in CAUTIONS]
