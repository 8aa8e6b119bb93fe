#!/usr/bin/env python3
"""Mutation testing: changes the code a little, one place at a time, and sees whether the fast set of
tests (tests/fast.py) finds out. See docs/testing.md.

    mutate.py [--seed N] [--count N] [--jobs N] [--least PERCENT] [FILE...]

It works in copies of the tree in build/mutants; nothing outside build/ is changed. A mutant that does not
compile does not count, nor does one whose object code is that of the original, nor one that is
listed with a reason why nobody can tell it from the original (tests/equivalent-mutants.txt).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import random
import re
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

WORK = ROOT / "build" / "mutants"
SOURCES = ("core/*.c", "core/*.h", "bindings/lua/*.c", "bindings/python/*.c")
EQUIVALENT = ROOT / "tests" / "equivalent-mutants.txt"

# A test that takes so many times longer than with the original is stopped, and has found the mutant.
PATIENCE = 5
PATIENCE_LEAST = 4  # seconds

# ------------------------------------------------------------------ tokens

TOKEN = re.compile(
    r"""
      (?P<space>   \s+ | /\*.*?\*/ | //[^\n]* )
    | (?P<text>    "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )
    | (?P<number>  (?:0[xX][0-9a-fA-F]+|\d+\.\d*(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+)[uUlLfF]* )
    | (?P<name>    [A-Za-z_]\w* )
    | (?P<sign>    <<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|. )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    begin: int  # in the source
    end: int


DIRECTIVE = re.compile(r"#(?:\\\n|/\*.*?\*/|[^\n])*", re.DOTALL)


def tokens_of(source: str) -> list[Token]:
    """What the compiler sees: neither comments nor directives."""
    found = []
    at = 0
    begins_line = True
    while at < len(source):
        directive = DIRECTIVE.match(source, at) if begins_line else None
        if directive:
            at = directive.end()
            continue
        match = TOKEN.match(source, at)
        assert match, f"no token at {at}"
        kind = str(match.lastgroup)
        if kind == "space":
            begins_line = begins_line or "\n" in match.group()
        else:
            begins_line = False
            found.append(Token(kind, match.group(), at, match.end()))
        at = match.end()
    return found


# ------------------------------------------------------------------ statements

OPENING = {"(": ")", "[": "]", "{": "}"}
TYPE_WORDS = {
    "bool", "char", "const", "double", "enum", "extern", "float", "int", "long", "register", "short",
    "signed", "static", "struct", "typedef", "union", "unsigned", "void", "volatile", "_Static_assert",
    "_Thread_local", "_Atomic",
}  # fmt: skip
ASSERTS = {"HAK_ASSERT", "assert", "_Static_assert", "__builtin_unreachable"}


@dataclass(frozen=True)
class Statement:
    kind: str  # "expression", "return", "break", "continue", "declaration"
    first: int  # tokens
    last: int  # the semicolon


class Reader:
    """Reads the bodies of the functions in a file, as far as mutants need."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens_of(source)
        self.closes = self._pairs()
        self.statements: list[Statement] = []
        self.conditions: list[tuple[int, int]] = []  # tokens of "(" and ")"
        self.function_at: dict[int, str] = {}  # token in a body: the name of the function
        self._functions()

    def _pairs(self) -> dict[int, int]:
        pairs: dict[int, int] = {}
        opened: list[int] = []
        for i, token in enumerate(self.tokens):
            if token.kind != "sign":
                continue
            if token.text in OPENING:
                opened.append(i)
            elif token.text in OPENING.values() and opened:
                pairs[opened.pop()] = i
        return pairs

    def text(self, i: int) -> str:
        return self.tokens[i].text if i < len(self.tokens) else ""

    def _functions(self) -> None:
        """A body is a block after a list of parameters, outside of all blocks."""
        i = 0
        while i < len(self.tokens):
            if self.text(i) == "(" and self.text(self.closes.get(i, i) + 1) == "{":
                name = self.text(i - 1)
                body = self.closes[i] + 1
                end = self.closes[body]
                for inside in range(body, end):
                    self.function_at[inside] = name
                self._block(body)
                i = end + 1
            elif self.text(i) == "{" and self.text(i - 1) not in (")",):
                # A structure, an initialiser, or extern "C" { … }, which is looked into.
                i = i + 1 if self.tokens[i - 1].kind == "text" else self.closes[i] + 1
            else:
                i += 1

    def _block(self, i: int) -> None:
        end = self.closes[i]
        i += 1
        while i < end:
            i = self._statement(i)

    def _statement(self, i: int) -> int:
        """Reads the statement at token `i`; returns the token behind it."""
        word = self.text(i)
        if word == "{":
            self._block(i)
            return self.closes[i] + 1
        if word in ("if", "while", "switch", "for"):
            opening = i + 1
            closing = self.closes[opening]
            if word in ("if", "while"):
                self.conditions.append((opening, closing))
            i = self._statement(closing + 1)
            if word == "if" and self.text(i) == "else":
                i = self._statement(i + 1)
            return i
        if word == "do":
            i = self._statement(i + 1)
            closing = self.closes[i + 1]
            self.conditions.append((i + 1, closing))
            return closing + 2
        if word in ("case", "default"):
            while self.text(i) != ":":
                i += 1
            return i + 1
        if self.text(i + 1) == ":" and self.tokens[i].kind == "name":
            return i + 2
        return self._simple(i)

    def _simple(self, i: int) -> int:
        end = i
        while self.text(end) != ";":
            end = self.closes.get(end, end) + 1
        word = self.text(i)
        if end == i:
            return end + 1
        kind = word if word in ("return", "break", "continue") else "expression"
        if kind == "expression" and self._declares(i):
            kind = "declaration"
        self.statements.append(Statement(kind, i, end))
        return end + 1

    def _declares(self, i: int) -> bool:
        """Two names side by side, or with only stars between: a type and what has it."""
        if self.text(i) in TYPE_WORDS:
            return True
        if self.tokens[i].kind != "name":
            return False
        after = i + 1
        while self.text(after) == "*" and not self.spaced(after):
            after += 1
        return self.tokens[after].kind == "name"

    def spaced(self, i: int) -> bool:
        """Whether there is space on both sides, as clang-format has it around binary operators."""
        token = self.tokens[i]
        before = self.source[token.begin - 1 : token.begin]
        return before.isspace() and self.source[token.end : token.end + 1].isspace()


# ------------------------------------------------------------------ mutants

# Of operators with an operand on either side.
BINARY = {
    "==": ["!="], "!=": ["=="],
    "<": ["<=", ">="], "<=": ["<"], ">": [">=", "<="], ">=": [">"],
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"],
    "&&": ["||"], "||": ["&&"], "&": ["|"], "|": ["&"], "^": ["&"],
    "<<": [">>"], ">>": ["<<"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="],
    "&=": ["|="], "|=": ["&="], "<<=": [">>="], ">>=": ["<<="],
}  # fmt: skip
# Of those with one.
UNARY = {"++": "--", "--": "++", "!": "", "~": "", "-": ""}
WORDS = {"true": "false", "false": "true"}
NAMES = {"number": "number", "word": "constant"}


@dataclass(frozen=True)
class Mutant:
    file: str
    function: str
    line: int
    operator: str
    begin: int  # what is replaced in the source …
    end: int
    replacement: str  # … and by what
    before: str  # the lines concerned, as one
    after: str
    occurrence: int  # how many such there are before it in the function

    @property
    def id(self) -> str:
        """The same as long as the function's text is there, wherever it is."""
        key = [self.file, self.function, self.operator, self.before, self.after, str(self.occurrence)]
        return hashlib.sha256("\0".join(key).encode()).hexdigest()[:10]

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.file, self.function, self.before, self.after)

    def apply(self, source: str) -> str:
        return source[: self.begin] + self.replacement + source[self.end :]


def next_number(text: str) -> Optional[str]:
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", text)
    if not match:
        return None
    digits, suffix = match.groups()
    value = int(digits, 0) if not re.fullmatch(r"0\d+", digits) else int(digits, 8)
    more = value + 1
    return (hex(more) if digits[:2] in ("0x", "0X") else str(more)) + suffix


class Mutants:
    """All the mutants of one file."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.source = source
        self.reader = Reader(source)
        self.found: list[Mutant] = []
        self.seen: dict[tuple[str, ...], int] = defaultdict(int)
        self.left_alone = self._asserted() | self._declared()
        self._tokens()
        self._conditions()
        self._statements()

    def _asserted(self) -> set[int]:
        """Tokens within what is asserted."""
        reader = self.reader
        inside: set[int] = set()
        for i, token in enumerate(reader.tokens):
            if token.text in ASSERTS and i + 1 in reader.closes:
                inside.update(range(i, reader.closes[i + 1] + 1))
        return inside

    def _declared(self) -> set[int]:
        """Tokens of declarations that give no value."""
        reader = self.reader
        inside: set[int] = set()
        for statement in reader.statements:
            tokens = range(statement.first, statement.last + 1)
            if statement.kind == "declaration" and all(reader.text(i) != "=" for i in tokens):
                inside.update(tokens)
        return inside

    def _add(self, first: int, last: int, operator: str, replacement: str) -> None:
        """Replaces tokens `first` to `last`."""
        tokens = self.reader.tokens
        if first in self.left_alone or first not in self.reader.function_at:
            return
        begin, end = tokens[first].begin, tokens[last].end
        from_line = self.source.rindex("\n", 0, begin) + 1
        to_line = self.source.index("\n", end)
        # Lines keep their numbers, which assertions have in them.
        lost = self.source.count("\n", begin, end) - replacement.count("\n")
        replacement += "\n" * max(0, lost)
        before = " ".join(self.source[from_line:to_line].split())
        mutated = self.source[from_line:begin] + replacement + self.source[end:to_line]
        after = " ".join(mutated.split())
        function = self.reader.function_at[first]
        occurrence = self.seen[function, operator, before, after]
        self.seen[function, operator, before, after] += 1
        line = self.source.count("\n", 0, begin) + 1
        self.found.append(
            Mutant(
                self.file, function, line, operator, begin, end, replacement, before, after, occurrence
            )
        )

    def _tokens(self) -> None:
        reader = self.reader
        for i, token in enumerate(reader.tokens):
            if token.kind == "number":
                number = next_number(token.text)
                if number:
                    self._add(i, i, f"{token.text} → {number}", number)
            elif token.text in WORDS:
                self._add(i, i, f"{token.text} → {WORDS[token.text]}", WORDS[token.text])
            elif token.text in BINARY and reader.spaced(i):
                for other in BINARY[token.text]:
                    self._add(i, i, f"{token.text} → {other}", other)
            elif token.text in UNARY and not reader.spaced(i):
                other = UNARY[token.text]
                self._add(i, i, f"{token.text} → {other or 'nothing'}", other)
            elif token.text == "?":
                first = self._begin_of_condition(i)
                self._negate(first, i - 1)

    def _begin_of_condition(self, i: int) -> int:
        """Of that before the question mark at token `i`."""
        opened = {closing: opening for opening, closing in self.reader.closes.items()}
        first = i
        while True:
            before = first - 1
            before = opened.get(before, before)
            if self.reader.text(before) in (
                "(", "[", "{", ",", ";", "}", "return", "=", "?", ":", "+=", "-=", "&=", "|=",
            ) and before == first - 1:  # fmt: skip
                return first
            first = before

    def _negate(self, first: int, last: int) -> None:
        tokens = self.reader.tokens
        if first > last:
            return
        condition = self.source[tokens[first].begin : tokens[last].end]
        self._add(first, last, "condition negated", f"!({condition})")

    def _conditions(self) -> None:
        for opening, closing in self.reader.conditions:
            self._negate(opening + 1, closing - 1)

    def _statements(self) -> None:
        reader = self.reader
        for statement in reader.statements:
            first, last = statement.first, statement.last
            word = reader.text(first)
            if statement.kind in ("break", "continue"):
                self._add(first, last, f"{word} dropped", ";")
            elif statement.kind == "return" and last == first + 1:
                self._add(first, last, "return dropped", ";")
            elif statement.kind == "return":
                expression = self.source[reader.tokens[first + 1].begin : reader.tokens[last].begin]
                for constant in ("0", "1"):
                    known = {"0": ("0", "false", "NULL"), "1": ("1", "true")}[constant]
                    if expression not in known:
                        self._add(first, last, f"returns {constant}", f"return {constant};")
            elif statement.kind == "expression" and word not in ASSERTS and word != "goto":
                if not (word == "(" and reader.text(first + 1) == "void"):
                    self._add(first, last, "statement dropped", ";")


def mutants_of(file: str) -> list[Mutant]:
    return Mutants(file, (ROOT / file).read_text()).found


# ------------------------------------------------------------------ known equivalents


def read_equivalent(path: Path) -> dict[tuple[str, str, str, str], str]:
    """{key: reason} of a file of such entries:

    core/units.c, take_units: reason
        - the line
        + the line, mutated
    """
    known = {}
    entry = re.compile(r"^(\S+), (\w+): *(.*(?:\n(?!\s*[-+] ).*\S.*)*)\n\s+- (.*)\n\s+\+ ?(.*)$", re.MULTILINE)
    text = path.read_text() if path.exists() else ""
    for file, function, reason, before, after in entry.findall(text):
        known[file, function, before.strip(), after.strip()] = " ".join(reason.split())
    return known


def as_entry(mutant: Mutant) -> str:
    return (
        f"{mutant.file}, {mutant.function}:\n    - {mutant.before}\n    + {mutant.after}".rstrip()
    )


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
        for path, stamp in self._files():
            if path not in self.stamps:
                path.unlink()
            elif self.stamps[path] != stamp:
                shutil.copy2(self.original(path), path)
        for path in self.stamps.keys() - dict(self._files()).keys():
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
        self.kills_in: dict[tuple[str, str], int] = defaultdict(int)  # by file and group
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
            users = [group for group in self.tests if group in self.users.get(file, set())]
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
    return all(path.read_bytes() == tree.original(path).read_bytes() for path in objects)


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
                    result.verdict, result.by, result.how = "killed", str(test), outcome.how
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
    files = sorted({str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)})
    if not files:
        sys.exit(f"mutate: no such files: {' '.join(patterns)}")
    mutants = [mutant for file in files for mutant in mutants_of(file)]
    if options.id:
        mutants = [mutant for mutant in mutants if mutant.id in options.id]
        missing = set(options.id) - {mutant.id for mutant in mutants}
        if missing:
            sys.exit(f"mutate: there is no mutant {', '.join(sorted(missing))} any more")
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
            enough = self.options.count and not self.options.id and self.begun >= self.options.count
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
            counted = sum(each.verdict in ("killed", "survived") for each in self.results)
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
        text = json.dumps({"seed": self.options.seed, "mutants": results}, indent=1, ensure_ascii=False)
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
    survivors = sorted(by_verdict["survived"], key=lambda each: (each.mutant.file, each.mutant.line))
    if survivors:
        print("\nSurvivors:")
    for result in survivors:
        print(f"\n{result.mutant.id} line {result.mutant.line}, {result.mutant.operator}")
        print(as_entry(result.mutant))
    killed, counted = len(by_verdict["killed"]), len(by_verdict["killed"]) + len(survivors)
    tests: dict[str, int] = defaultdict(int)
    for result in by_verdict["killed"]:
        tests[result.by] += 1
    print("\nKilled by:")
    for name, count in sorted(tests.items(), key=lambda item: -item[1]):
        print(f"{count:5}  {name}")
    print(
        f"\nnot counted: {len(by_verdict['no compile'])} did not compile, "
        f"{len(by_verdict['identical'])} gave the same code, {len(by_verdict['listed'])} are listed as equivalent"
    )
    percent = 100 * killed / counted if counted else 0.0
    print(f"killed {killed} of {counted} ({percent:.1f} %)")
    return 0 if percent >= least else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutation testing with the fast set of tests.")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument("--count", type=int, default=200, help="of mutants that count (200); 0: all")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time (2)")
    parser.add_argument("--least", type=float, default=0, help="percent killed, or the exit status is 1")
    parser.add_argument("--json", type=Path, default=WORK / "results.json", help="where results go")
    parser.add_argument("--list-equivalent", type=Path, default=EQUIVALENT, metavar="FILE")
    parser.add_argument("--id", action="append", help="only this mutant; can be repeated")
    parser.add_argument("--list", action="store_true", help="show the mutants, and try none")
    parser.add_argument("files", nargs="*", help="patterns of files (core and adapters)")
    options = parser.parse_args()
    mutants = chosen(options)
    if options.list:
        for mutant in mutants[: options.count or None]:
            print(f"{mutant.id} line {mutant.line}, {mutant.operator}\n{as_entry(mutant)}\n")
        print(f"{len(mutants)} mutants in all")
        return 0
    if not (ROOT / "build" / "swig").exists():
        subprocess.run(["make", "-s", "fast-set"], cwd=ROOT, check=True)
    run = Run(options, mutants)
    run.run()
    return report(run.results, options.least)


if __name__ == "__main__":
    sys.exit(main())
