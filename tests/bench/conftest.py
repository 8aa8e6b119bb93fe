"""Fake programs for the tests of the benchmark driver.

What is under test is the driver's own logic: in which order it runs samples, in
which environment, and what it makes of what they print. Fakes make that exact.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

ALLOCATORS = ("hakmem", "mimalloc", "jemalloc", "tcmalloc", "system", "null")


class FakeBuild:
    """A build folder whose random_mixed programs are shell scripts.

    Each logs the allocator and its arguments, then prints the given output. Asked for
    one operation, it only says which build it is, in the profile that it is told.
    """

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log"
        (folder / "bench").mkdir(parents=True)

    def script(self, path, body):
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def program(
        self, allocator, mops=100.0, rss=2000, body="", build="standard", folder="."
    ):
        output = json.dumps({"mops": mops, "peak_rss_kib": rss, "end_rss_kib": rss})
        told = f'{{"build": "{build}", "profile": "\'$HAKMEM_PROFILE\'"}}'
        (self.folder / folder / "bench").mkdir(parents=True, exist_ok=True)
        self.script(
            self.folder / folder / "bench" / f"random_mixed-{allocator}",
            f"case \"$*\" in *'--ops 1') echo '{told}'; exit ;; esac\n"
            f"echo {allocator} $* >> {self.log}\n{body}\necho '{output}'",
        )

    def all_programs(self):
        for allocator in ALLOCATORS:
            self.program(allocator)

    def python(self, body):
        """An interpreter that says it is Python 3.11, has one program, trees, and hakmem's
        package, and does `body`, lines of a case statement over its arguments."""
        path = self.folder / "python"
        self.script(
            path,
            'case "$*" in\n'
            "*version_info*) echo 3.11 ;;\n"
            "*--list*) echo trees ;;\n"
            "*maps*) unset LD_PRELOAD; cat /proc/self/maps ;;\n"
            f"{body}\n"
            "*hakmem.install*)\n"
            '  echo "{\\"build\\": \\"standard\\", \\"profile\\": \\"$HAKMEM_PROFILE\\"}" ;;\n'
            "esac",
        )
        return path

    def start(self, *arguments, **variables):
        return subprocess.Popen(
            [sys.executable, str(BENCH / "hakbench"), *map(str, arguments)],
            env={**os.environ, "HAKBENCH_BUILD": str(self.folder), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background jobs inherit that interruptions are ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def hakbench(self, *arguments, **variables):
        """Runs the driver to its end; its exit status, stdout and stderr."""
        process = self.start(*arguments, **variables)
        stdout, stderr = process.communicate(timeout=120)
        return process.returncode, stdout, stderr

    def records(self, *arguments):
        """Runs the driver; the content of its JSON."""
        file = self.folder / "result.json"
        status, _, stderr = self.hakbench("run", *arguments, "--json", file)
        assert status == 0, stderr
        return json.loads(file.read_text(encoding="utf-8"))

    def logged(self):
        """The samples that ran, each as a list of words."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line.split() for line in lines]


@pytest.fixture
def build(tmp_path):
    """A fake build folder without any program."""
    return FakeBuild(tmp_path / "build")
