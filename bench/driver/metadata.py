"""What a reader needs to know to repeat a session."""

from __future__ import annotations

import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from . import peers
from .builds import cautions
from .plan import Comparison
from .settings import ROOT, Settings, allowed_cpus, withheld_variables

PACKAGES = ("libc6", "lua5.4", "luajit")


def collect(settings: Settings, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The "meta" of a session's JSON. What cannot be found out is None."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "date": now.isoformat(timespec="seconds"),
        "command": sys.argv,
        "git": git_state(),
        "machine": machine(),
        "versions": versions(),
        "profile": settings.profile,
        "profile_named": settings.profile_named,
        "variables_withheld": withheld_variables(),
        "cautions": sorted(
            {text for one in comparisons for text in cautions(one.allocators)}
        ),
        "quick": settings.quick,
        "cpu": settings.cpu,
        "runs": {one.suite.name: one.runs for one in comparisons},
        "configuration": {one.suite.name: configuration(one) for one in comparisons},
    }


def configuration(comparison: Comparison) -> dict[str, Any]:
    """Each allocator's environment, and its command in the first round."""
    suite = comparison.suite
    return {
        allocator: {
            "environment": suite.environment(allocator),
            "commands": {
                case: suite.command(allocator, case, 1) for case in comparison.cases
            },
        }
        for allocator in comparison.allocators
    }


def git_state() -> Optional[dict[str, Any]]:
    """The commit of the project, and whether its files differ from it."""
    commit = output("git", "-C", str(ROOT), "rev-parse", "--verify", "HEAD")
    changes = output("git", "-C", str(ROOT), "status", "--porcelain")
    if commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def machine() -> dict[str, Any]:
    """The hardware and the kernel settings that decide about speed and memory."""
    return {
        "cpu": cpu_model(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "allowed_cpus": allowed_cpus(),
        "kernel": platform.release(),
        "memory_kib": memory_kib(),
        "transparent_huge_pages": transparent_huge_pages(),
        "randomize_va_space": text_of("/proc/sys/kernel/randomize_va_space"),
        "load_average": os.getloadavg(),
    }


def versions() -> dict[str, Any]:
    """What was compared and what built it; an uninstalled package is None."""
    return {
        "hakmem": hakmem_version(),
        "peers": peers.versions(peers.LIBRARIES),
        "packages": {name: package_version(name) for name in PACKAGES},
        "compiler": first_line(output("cc", "--version")),
        "python": platform.python_version(),
    }


def cpu_model() -> Optional[str]:
    """The processor's name; some architectures do not tell it."""
    found = re.search(r"^model name\s*:\s*(.+)$", text_of("/proc/cpuinfo") or "", re.M)
    return found.group(1) if found else None


def memory_kib() -> Optional[int]:
    """The machine's memory."""
    found = re.search(r"^MemTotal:\s*(\d+) kB", text_of("/proc/meminfo") or "", re.M)
    return int(found.group(1)) if found else None


def transparent_huge_pages() -> Optional[str]:
    """The chosen one of the settings `always [madvise] never`."""
    setting = text_of("/sys/kernel/mm/transparent_hugepage/enabled")
    found = re.search(r"\[(\w+)\]", setting or "")
    return found.group(1) if found else None


def hakmem_version() -> Optional[str]:
    """The version of the sources, as their public header states it."""
    header = text_of(ROOT / "core" / "hakmem.h") or ""
    found = re.search(r'^#define HAK_VERSION "(.+)"', header, re.M)
    return found.group(1) if found else None


def package_version(package: str) -> Optional[str]:
    """The installed version of a Debian package."""
    return output("dpkg-query", "--show", "--showformat=${Version}", package) or None


def first_line(text: Optional[str]) -> Optional[str]:
    """The first line of a program's output."""
    return text.splitlines()[0] if text else None


def text_of(path: Any) -> Optional[str]:
    """A small file without the space around it, None if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def output(*command: str) -> Optional[str]:
    """What a command prints, None if it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
