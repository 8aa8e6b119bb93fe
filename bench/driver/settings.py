"""What the command line decides for a whole session."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def default_build() -> Path:
    """$HAKBENCH_BUILD, or build/ in the project."""
    return Path(os.environ.get("HAKBENCH_BUILD") or ROOT / "build")


def withheld_variables() -> list[str]:
    """hakmem's variables in this environment. No sample gets them."""
    return sorted(name for name in os.environ if name.startswith("HAKMEM_"))


def allowed_cpus() -> list[int]:
    """The processors that this process may use."""
    return sorted(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Settings:
    """Holds for every suite of a session."""

    build: Path = field(default_factory=default_build)
    lua: str = "lua5.4"
    python: str = "/usr/bin/python3"
    cpu: int = field(default_factory=lambda: allowed_cpus()[-1])
    profile: str = "balanced"
    profile_named: bool = False  # or it is the default
    quick: bool = False
