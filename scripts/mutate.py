#!/usr/bin/env python3
"""Mutation testing: changes the code a little, one place at a time, and sees whether the
fast set of tests (tests/fast.py) finds out. See docs/testing.md.

    mutate.py [--seed N] [--count N] [--jobs N] [--least PERCENT] [FILE...]

It works in copies of the tree in build/mutants; nothing outside build/ is changed. A
mutant that does not compile does not count, nor does one whose object code is that of the
original, nor one that is listed in tests/equivalent-mutants.txt, with the reason why
nobody can tell it from the original.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import fast  # noqa: E402
from mutants import Mutant, as_entry, mutants_of, read_equivalent  # noqa: E402

WORK = ROOT / "build" / "mutants"
SOURCES = ("core/*/*.c", "core/*/*.h", "bindings/lua/*.c", "bindings/python/*.c")
EQUIVALENT = ROOT / "tests" / "equivalent-mutants.txt"

# A test that takes so many times longer than with the original is stopped, and has found
# the mutant.
PATIENCE = 5
PATIENCE_LEAST = 4  # seconds

# ------------------------------------------------------------------ a copy of the tree


class Tree:
    """A copy of the tree with the fast set built, which is as it was after each mutant."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.built = root / "build" / "tests" / "fast"
        self.saved = root / "build" / "saved"
        self.stamps: dict[Path, tuple[int, int]] = {}

    def make(self) -> None:
        if self.root.exists():
            shutil.rmtree(self.root)
        skipped = shutil.ignore_patterns("__pycache__", ".pytest_cache")
        for part in ("core", "bindings", "tests"):
            shutil.copytree(ROOT / part, self.root / part, ignore=skipped)
        shutil.copytree(ROOT / "build" / "swig", self.root / "build" / "swig")
        done = fast.make(self.root, "-k")
        if done.returncode:
            sys.exit(f"mutate: the fast set cannot be built:\n{done.stderr}")

    def save(self) -> None:
        shutil.copytree(self.built, self.saved)
        self.stamps = dict(self._files())

    def _files(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        for folder, _, names in os.walk(self.built):
            for name in names:
                path = Path(folder, name)
                stat = path.stat()
                yield path, (stat.st_mtime_ns, stat.st_size)

    def changed(self) -> list[Path]:
        """What has been built since."""
        return [path for path, stamp in self._files() if self.stamps.get(path) != stamp]

    def original(self, path: Path) -> Path:
        return self.saved / path.relative_to(self.built)

    def restore(self) -> None:
        now = dict(self._files())
        for path in now.keys() | self.stamps.keys():
            if now.get(path) == self.stamps.get(path):
                continue
            path.unlink(missing_ok=True)  # not written over: a mutant may have left it running
            if path in self.stamps:
                shutil.copy2(self.original(path), path)
        self.stamps = dict(self._files())

    def write(self, file: str, source: str, stamp: Optional[int] = None) -> None:
        path = self.root / file
        path.write_text(source)
        if stamp is not None:
            os.utime(path, ns=(stamp, stamp))

    def groups_of(self, group_names: list[str]) -> dict[str, set[str]]:
        """{file: groups whose objects depend on it}, by what the compiler has noted."""
        users: dict[str, set[str]] = defaultdict(set)
        for note in self.built.rglob("*.d"):
            group = note.relative_to(self.built).parts[0]
            for word in note.read_text().replace("\\\n", " ").split():
                users[os.path.normpath(word)].add(group)
        # What is linked with the objects of another group.
        for groups in users.values():
            if "release" in groups:
                groups.update(name for name in group_names if name.startswith("lua"))
            if "cpython" in groups:
                groups.add("python")
        return users


# ------------------------------------------------------------------ trying mutants


@dataclass
class Result:
    mutant: Mutant
    verdict: str  # "killed", "survived", "identical", "no compile", "listed"
    by: str = ""  # the test that found it
    how: str = ""  # status, signal, time
    seconds: float = 0

    def as_json(self) -> dict[str, object]:
        mutant = self.mutant
        return {
            "id": mutant.id,
            "file": mutant.file,
            "line": mutant.line,
            "function": mutant.function,
            "operator": mutant.operator,
            "original": mutant.before,
            "mutated": mutant.after,
            "verdict": self.verdict,
            "killed_by": self.by,
            "how": self.how,
            "seconds": round(self.seconds, 1),
        }


class Bench:
    """What all workers share: the tests, how long they take, and which find the most."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tests: dict[str, list[fast.Test]] = {}
        self.seconds: dict[fast.Test, float] = {}
        self.kills: dict[fast.Test, int] = defaultdict(int)
        self.kills_in: dict[tuple[str, str], int] = defaultdict(
            int
        )  # by file and group
        self.users: dict[str, set[str]] = {}

    def measure(self, tree: Tree) -> None:
        for test in fast.all_tests(tree.root):
            outcome = fast.run(test, tree.root)
            if outcome.how:
                print(outcome.output)
                sys.exit(f"mutate: {test} fails without any mutant: {outcome.how}")
            self.tests.setdefault(test.group, []).append(test)
            self.seconds[test] = outcome.seconds
        self.users = tree.groups_of(list(self.tests))

    def groups(self, file: str) -> list[str]:
        """Those that a file is built for, first what has found most of its mutants."""
        with self.lock:
            users = [
                group for group in self.tests if group in self.users.get(file, set())
            ]
            return sorted(users, key=lambda group: -self.kills_in[file, group])

    def killed(self, mutant: Mutant, test: fast.Test) -> None:
        with self.lock:
            self.kills[test] += 1
            self.kills_in[mutant.file, test.group] += 1

    def in_order(self, group: str) -> list[fast.Test]:
        """First what finds most in a second."""
        with self.lock:
            return sorted(
                self.tests[group],
                key=lambda test: (self.seconds[test] + 0.05) / (self.kills[test] + 1),
            )

    def patience(self, test: fast.Test) -> float:
        return PATIENCE_LEAST + PATIENCE * self.seconds[test]


def same_code(tree: Tree, changed: list[Path]) -> bool:
    """Whether the objects are those of the original. They have no debug information."""
    objects = [path for path in changed if path.suffix == ".o"]
    return all(
        path.read_bytes() == tree.original(path).read_bytes() for path in objects
    )


def attempt(mutant: Mutant, tree: Tree, bench: Bench) -> Result:
    path = tree.root / mutant.file
    source = path.read_text()
    stamp = path.stat().st_mtime_ns
    begin = time.monotonic()
    result = Result(mutant, "identical")
    tree.write(mutant.file, mutant.apply(source))
    try:
        for group in bench.groups(mutant.file):
            if fast.make(tree.root, group).returncode:
                result.verdict = "no compile"
                break
            if same_code(tree, tree.changed()):
                continue
            result.verdict = "survived"
            for test in bench.in_order(group):
                outcome = fast.run(test, tree.root, bench.patience(test))
                if outcome.how:
                    result.verdict, result.by, result.how = (
                        "killed",
                        str(test),
                        outcome.how,
                    )
                    bench.killed(mutant, test)
                    break
            if result.verdict == "killed":
                break
    finally:
        tree.write(mutant.file, source, stamp)
        tree.restore()
    result.seconds = time.monotonic() - begin
    return result


# ------------------------------------------------------------------ the command


def chosen(options: argparse.Namespace) -> list[Mutant]:
    """The mutants to try, in the order of the draw, from which as many are taken as count."""
    patterns = options.files or SOURCES
    files = sorted(
        {
            str(path.relative_to(ROOT))
            for pattern in patterns
            for path in ROOT.glob(pattern)
        }
    )
    if not files:
        sys.exit(f"mutate: no such files: {' '.join(patterns)}")
    mutants = [mutant for file in files for mutant in mutants_of(ROOT, file)]
    if options.id:
        mutants = [mutant for mutant in mutants if mutant.id in options.id]
        missing = set(options.id) - {mutant.id for mutant in mutants}
        if missing:
            sys.exit(
                f"mutate: there is no mutant {', '.join(sorted(missing))} any more"
            )
        return mutants
    random.Random(options.seed).shuffle(mutants)
    return mutants


class Run:
    def __init__(self, options: argparse.Namespace, mutants: list[Mutant]) -> None:
        self.options = options
        self.known = read_equivalent(options.list_equivalent)
        self.waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
        for mutant in mutants:
            self.waiting.put(mutant)
        self.bench = Bench()
        self.results: list[Result] = []
        self.begun = 0  # those that count, or may
        self.stopped = False
        self.lock = threading.Lock()

    def take(self) -> Optional[Mutant]:
        with self.lock:
            enough = (
                self.options.count
                and not self.options.id
                and self.begun >= self.options.count
            )
            if enough or self.stopped:
                return None
            try:
                mutant = self.waiting.get_nowait()
            except queue.Empty:
                return None
            self.begun += 1
            return mutant

    def note(self, result: Result) -> None:
        with self.lock:
            self.results.append(result)
            if result.verdict not in ("killed", "survived"):
                self.begun -= 1  # another one takes its place
                return
            mutant = result.mutant
            counted = sum(
                each.verdict in ("killed", "survived") for each in self.results
            )
            found = f"{result.by} ({result.how})" if result.by else "SURVIVED"
            place = f"{mutant.file}:{mutant.line}"
            print(
                f"{counted:4} {mutant.id} {place:34} {mutant.operator:22.22} "
                f"{result.seconds:5.1f} s  {found}",
                flush=True,
            )
            self.write()

    def work(self, tree: Tree) -> None:
        while (mutant := self.take()) is not None:
            if mutant.key in self.known and not self.options.id:
                self.note(Result(mutant, "listed"))
            else:
                self.note(attempt(mutant, tree, self.bench))

    def write(self) -> None:
        self.options.json.parent.mkdir(parents=True, exist_ok=True)
        results = [result.as_json() for result in self.results]
        text = json.dumps(
            {"seed": self.options.seed, "mutants": results},
            indent=1,
            ensure_ascii=False,
        )
        self.options.json.write_text(text + "\n")

    def run(self) -> None:
        trees = [Tree(WORK / str(number + 1)) for number in range(self.options.jobs)]
        for tree in trees:
            tree.make()
        print("the tests without any mutant", flush=True)
        self.bench.measure(trees[0])
        for tree in trees:
            tree.save()
        threads = [threading.Thread(target=self.work, args=(tree,)) for tree in trees]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            print("ends with the mutants at hand", flush=True)
            self.stopped = True
            for thread in threads:
                thread.join()
        self.write()


def report(results: list[Result], least: float) -> int:
    by_verdict: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_verdict[result.verdict].append(result)
    survivors = sorted(
        by_verdict["survived"], key=lambda each: (each.mutant.file, each.mutant.line)
    )
    if survivors:
        print("\nSurvivors:")
    for result in survivors:
        print(
            f"\n{result.mutant.id} line {result.mutant.line}, {result.mutant.operator}"
        )
        print(as_entry(result.mutant))
    killed, counted = len(by_verdict["killed"]), len(by_verdict["killed"]) + len(
        survivors
    )
    tests: dict[str, int] = defaultdict(int)
    for result in by_verdict["killed"]:
        tests[result.by] += 1
    print("\nKilled by:")
    for name, count in sorted(tests.items(), key=lambda item: -item[1]):
        print(f"{count:5}  {name}")
    print(
        f"\nnot counted: {len(by_verdict['no compile'])} did not compile, "
        f"{len(by_verdict['identical'])} gave the same code, "
        f"{len(by_verdict['listed'])} are listed as equivalent"
    )
    percent = 100 * killed / counted if counted else 0.0
    print(f"killed {killed} of {counted} ({percent:.1f} %)")
    return 0 if percent >= least else 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Mutation testing with the fast set of tests."
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument(
        "--count", type=int, default=200, help="of mutants that count (200); 0: all"
    )
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time (2)")
    parser.add_argument(
        "--least", type=float, default=0, help="percent killed, or the exit status is 1"
    )
    parser.add_argument(
        "--json", type=Path, default=WORK / "results.json", help="where results go"
    )
    parser.add_argument(
        "--list-equivalent", type=Path, default=EQUIVALENT, metavar="FILE"
    )
    parser.add_argument(
        "--id", action="append", help="only this mutant; can be repeated"
    )
    parser.add_argument(
        "--list", action="store_true", help="show the mutants, and try none"
    )
    parser.add_argument(
        "files", nargs="*", help="patterns of files (core and adapters)"
    )
    options = parser.parse_args()
    mutants = chosen(options)
    if options.list:
        for mutant in mutants[: options.count or None]:
            print(
                f"{mutant.id} line {mutant.line}, {mutant.operator}\n{as_entry(mutant)}\n"
            )
        print(f"{len(mutants)} mutants in all")
        return 0
    if not (ROOT / "build" / "swig").exists():
        subprocess.run(["make", "-s", "fast-set"], cwd=ROOT, check=True)
    run = Run(options, mutants)
    run.run()
    return report(run.results, options.least)


if __name__ == "__main__":
    sys.exit(main())
