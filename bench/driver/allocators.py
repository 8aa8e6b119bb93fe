"""The allocators that can be compared."""

from __future__ import annotations

from .peers import LIBRARIES

HAKMEM = "hakmem"

FAST, OBSERVE, PGO = "hakmem-fast", "hakmem-observe", "hakmem-pgo"

PRELOAD = "hakmem-preload"

# Builds of hakmem beside the standard one, each in a folder of its own; see builds.py.
BUILDS = (FAST, PGO, OBSERVE)

# These, and the standard one preloaded, with the command that makes each.
VARIANTS = {
    FAST: "make fast",
    OBSERVE: "make observe",
    PGO: "make pgo",
    PRELOAD: "make preload",
}

# The standard build in the profile that --profile names, and in each one by name.
PROFILES = (HAKMEM, "hakmem-speed", "hakmem-balanced", "hakmem-lean")

SYSTEM = "system"

# The best peer of a suite is the best one of these.
PEERS = (*LIBRARIES, SYSTEM)

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
