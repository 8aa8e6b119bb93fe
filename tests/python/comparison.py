"""The same tests stock and on hakmem, and what differs.

Both run side by side, so that they meet the same load, in the same virtual environment, which
`python -m hakmem.startup enable` was applied to, so that child processes have hakmem too; they
differ by HAKMEM_PYTHON=1 only.

What counts is each test: none may fail on hakmem that does not fail stock. Where something differs,
all runs up to twice more, both ways; what differs every time is a difference, the rest is called
unsteady. A crash on hakmem counts at once.

The package must have been built (make python)."""

import collections
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / os.environ.get("HAK_BUILD", "build")

# Python's own tests start most of their child processes with -E or -I, where hakmem.startup ignores
# its variable as Python ignores its own. In these processes this line installs hakmem.
EVEN_ISOLATED = (
    "import os, sys; sys.flags.ignore_environment and os.environ.get('HAKMEM_PYTHON') == '1'"
    " and exec('try: import hakmem; hakmem.installed() or hakmem.install()\\nexcept ImportError: pass')\n"
)

# outcomes: {test: outcome}; ended: the runner's exit status, or else a text that says how
Run = collections.namedtuple("Run", "outcomes ended seconds")


class Environment:
    """A virtual environment with hakmem in it, switched on by HAKMEM_PYTHON=1.

    `folder`/VERSION holds it and what is written about the runs in it. `packages` come from PyPI.
    """

    def __init__(self, program, folder, packages=()):
        # Started in the background, this program ignores it and so would the tests, to their harm.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.version = subprocess.run(
            [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        self.folder = Path(folder) / self.version
        self.program = self.folder / "venv" / "bin" / "python"
        package = BUILD / "python" / self.version / "hakmem"
        if not package.exists():
            sys.exit(f"no {package}; run: make python PYTHON={program}")
        venv = [program, "-m", "venv", "--clear", self.folder / "venv"]
        subprocess.run(venv if packages else [*venv, "--without-pip"], check=True)
        if packages:
            pip = [self.program, "-m", "pip", "install", "--quiet", *packages]
            subprocess.run(pip, check=True)
        site = self.code("import sysconfig; print(sysconfig.get_path('purelib'))")
        shutil.copytree(package, Path(site) / "hakmem")
        self.code("import hakmem.startup; hakmem.startup.enable()")
        Path(site, "hakmem-even-isolated.pth").write_text(EVEN_ISOLATED, encoding="ascii")
        self.check()

    def environ(self, allocator):
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
        environ = {name: os.environ[name] for name in kept if name in os.environ}
        return {**environ, "HAKMEM_PYTHON": "1"} if allocator == "hakmem" else environ

    def code(self, source, *flags, allocator="stock"):
        """Runs a program given as text; returns what it printed."""
        return subprocess.run(
            [self.program, *flags, "-c", source],
            env=self.environ(allocator),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()

    def check(self):
        """That the allocator is what this program takes it for, in child processes too."""
        child = "import sys; print('hakmem' in sys.modules and len(sys.modules['hakmem'].installed()))"
        parent = f"import subprocess, sys; {child}; sys.stdout.flush(); subprocess.run([sys.executable, '-c', {child!r}])"
        for flags in [], ["-E"], ["-I"]:
            assert self.code(parent, *flags).split() == ["False", "False"]
            ours = self.code(parent, *flags, allocator="hakmem").split()
            assert ours == ["2", "2"], ours


def read_outcomes(path):
    """{test: the worst of its outcomes}, and the allocator that was found at the end, if any."""
    order = ["started", "passed", "skipped", "failed"]
    outcomes, allocator = {}, None
    for line in path.read_text().splitlines() if path.exists() else ():
        event, what = line.split("\t", 1)
        if event == "allocator":
            allocator = what
        else:
            outcomes[what] = max(outcomes.get(what, "started"), event, key=order.index)
    return outcomes, allocator


class Process:
    """Tests that are running; `command` is what run_recorded.py is told, `timeout` the
    seconds that a single test may take."""

    def __init__(self, environment, name, command, allocator, timeout):
        self.allocator, self.timeout = allocator, timeout
        self.outcomes = environment.folder / f"{name}.{allocator}.outcomes"
        self.outcomes.unlink(missing_ok=True)
        recorded = [HERE / "run_recorded.py", self.outcomes, allocator, *command]
        self.begin = self.changed = time.monotonic()
        self.size = 0
        with open(environment.folder / f"{name}.{allocator}.log", "wb") as log:
            self.process = subprocess.Popen(
                [environment.program, *recorded],
                env=environment.environ(allocator),
                cwd=environment.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def poll(self):
        """The Run, once it has ended or nothing has happened for long; None before."""
        status = self.process.poll()
        now = time.monotonic()
        size = self.outcomes.stat().st_size if self.outcomes.exists() else 0
        if size != self.size:
            self.size, self.changed = size, now
        if status is None and now - self.changed < self.timeout:
            return None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # also what a test left behind
        except ProcessLookupError:
            pass
        self.process.wait()
        return self.run(status, now - self.begin)

    def run(self, status, seconds):
        outcomes, allocator = read_outcomes(self.outcomes)
        if status is None:
            ended = "timeout"
        elif status < 0:
            ended = signal.Signals(-status).name
        elif allocator != self.allocator:
            ended = f"status {status} before the allocator was checked at the end"
        else:
            ended = status
        return Run(outcomes, ended, seconds)


def crashed(run):
    return not isinstance(run.ended, int) and run.ended != "timeout"


def differences(stock, ours):
    """{test: what became of it on hakmem} where that is worse; of the whole file under ""."""
    worse = {}
    for test, outcome in ours.outcomes.items():
        before = stock.outcomes.get(test, "not run")
        if stock.ended == "timeout" and before in ("started", "not run"):
            continue  # what stock did not finish cannot be compared
        # A skip must not hide what passes stock.
        if outcome == "failed" and before != "failed":
            worse[test] = f"failed, {before} stock"
        elif outcome in ("started", "skipped") and before == "passed":
            worse[test] = f"{outcome}, passed stock"
    if stock.ended == "timeout" and ours.ended == "timeout":
        return worse  # a test that hangs; see what is called unfinished
    for test in stock.outcomes.keys() - ours.outcomes.keys():
        if stock.outcomes[test] == "passed":
            worse[test] = "not run, passed stock"
    # A status of failure only repeats what is known of the tests.
    if ours.ended not in (0, stock.ended) and (not worse or crashed(ours)):
        worse[""] = f"{ours.ended} on hakmem, {stock.ended} stock"
    return worse


class Verdict:
    """What the runs of one file say together."""

    def __init__(self, name):
        self.name = name
        self.runs = []
        self.different, self.unsteady = {}, {}

    def add(self, stock, ours):
        """Takes another pair of runs in; returns whether one more is needed."""
        self.runs.append((stock, ours))
        found = differences(stock, ours)
        if len(self.runs) == 1:
            self.different = dict(found)
        for test in self.different.keys() - found.keys():
            self.unsteady[test] = self.different.pop(test)
        if crashed(ours) and not crashed(stock):
            self.different[""] = found[""]
            return False
        return bool(self.different) and len(self.runs) < 3

    def hung(self):
        """The tests that stock did not end, since it hangs in them."""
        stock, _ = self.runs[-1]
        if stock.ended != "timeout":
            return []
        return [test for test, was in stock.outcomes.items() if was == "started"]

    def count(self, outcome):
        """How many tests had this outcome both ways."""
        stock, ours = (run.outcomes for run in self.runs[-1])
        return sum(ours.get(test) == was == outcome for test, was in stock.items())

    def __str__(self):
        stock, ours = self.runs[-1]
        text = f"{self.name}: {self.count('passed')} passed"
        for outcome in ("failed", "skipped"):
            if self.count(outcome):
                text += f", {self.count(outcome)} {outcome} both ways"
        if not stock.outcomes and not ours.outcomes:
            text += f" (no test runs: status {stock.ended} stock, {ours.ended})"
        text += f", {stock.seconds:.1f} s stock, {ours.seconds:.1f} s"
        if stock.ended == "timeout":
            text += f"; stock hangs in {' '.join(self.hung())}: what it finished is compared"
        if len(self.runs) > 1:
            text += f"; run {len(self.runs)} times"
        for test, what in self.unsteady.items():
            text += f"\n    unsteady: {test or 'the file'}: {what}"
        for test, what in self.different.items():
            text += f"\n    DIFFERS: {test or 'the file'}: {what}"
        return text


def compare(environment, name, command, timeout):
    """Runs tests both ways, as often as it takes."""
    verdict = Verdict(name)
    more = True
    while more:
        pair = [
            Process(environment, name, command, who, timeout)
            for who in ("stock", "hakmem")
        ]
        runs = [None, None]
        while None in runs:
            time.sleep(0.05)
            runs = [run or process.poll() for run, process in zip(runs, pair)]
        more = verdict.add(*runs)
    return verdict


def summary(environment, verdicts, seconds):
    """The closing line of all."""
    version = environment.code("import sys; print(sys.version.split()[0])")
    return (
        f"CPython {version}, {seconds:.0f} s:"
        f" {sum(verdict.count('passed') for verdict in verdicts)} tests passed,"
        f" {sum(verdict.count('failed') for verdict in verdicts)} failed both ways,"
        f" {sum(len(verdict.unsteady) for verdict in verdicts)} unsteady,"
        f" {sum(len(verdict.different) for verdict in verdicts)} differ"
    )
