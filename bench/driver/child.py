"""One child process: pinned, in a cleaned environment, its processor time counted."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Optional

from .errors import SampleError

INHERITED = ("PATH", "HOME")
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def clean_environment(**wanted: str) -> dict[str, str]:
    """PATH and HOME of this process, LANG=C and `wanted`; nothing else leaks in."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, "LANG": "C", **wanted}


@dataclass(frozen=True)
class Outcome:
    """How a child ended, what it wrote, and the time it took in seconds."""

    command: list[str]
    environment: dict[str, str]
    status: int  # exit status, or minus the number of the signal that killed it
    stdout: str
    stderr: str
    cpu: float  # user and system time, from fork to exit
    wall: float
    faults: int  # page faults that needed no disk

    def error(self, what: str) -> SampleError:
        """An error that shows how to repeat this child by hand."""
        assignments = [f"{name}={value}" for name, value in self.environment.items()]
        parts = [
            f"sample failed: {what}",
            "  command: " + shlex.join(["env", "-i", *assignments, *self.command]),
            f"  status:  {describe_status(self.status)}",
            "  stderr:  " + (indented(self.stderr) or "(empty)"),
        ]
        return SampleError("\n".join(parts))

    def printed(self) -> dict[str, Any]:
        """The single JSON object that a sample prints."""
        try:
            values = json.loads(self.stdout)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise self.error(f"its output is not one JSON object: {self.stdout!r}")
        return values

    def number(self, name: str) -> Optional[float]:
        """A number that a sample prints under `name`, or None when it does not."""
        value = self.printed().get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float))
        ):
            raise self.error(f"{name!r} is not a number in its output: {value!r}")
        return value

    def required_number(self, name: str) -> float:
        """A number above zero that a sample must print under `name`."""
        value = self.number(name)
        if value is None or not value > 0:
            raise self.error(f"{name!r} is not above zero in its output: {value!r}")
        return value


def indented(text: str) -> str:
    """Lines of `text` aligned under each other in an error."""
    return text.strip().replace("\n", "\n           ")


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def run(
    command: list[str], environment: dict[str, str], cpu: Optional[int] = None
) -> Outcome:
    """Runs `command` to its end, pinned to `cpu` if given.

    Raises SampleError when it cannot be started or does not exit with 0. When the
    driver is interrupted, the child and all it has started are killed first. The
    signals are held back while the child is being made, since until then nobody
    knows whom to kill.
    """

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=prepare,
            )
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise SampleError(f"cannot start {shlex.join(command)}: {error}") from error
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _, wait_status, usage = os.wait4(process.pid, 0)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(wait_status)
        outcome = Outcome(
            command=command,
            environment=environment,
            status=process.returncode,
            stdout=content(stdout),
            stderr=content(stderr),
            cpu=usage.ru_utime + usage.ru_stime,
            wall=wall,
            faults=usage.ru_minflt,
        )
    if outcome.status != 0:
        raise outcome.error("it did not end well")
    return outcome


def content(file: Any) -> str:
    """All that a child wrote to `file`."""
    file.seek(0)
    return file.read().decode(errors="replace")
