"""The mutants of a C file: where it could be changed a little, and how.

Reads C as far as that needs: tokens, the bodies of functions, their statements. It
counts on clang-format, which puts space around binary operators and around no others.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# ------------------------------------------------------------------ tokens

TOKEN = re.compile(
    r"""
      (?P<space>   \s+ | /\*.*?\*/ | //[^\n]* )
    | (?P<text>    "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )
    | (?P<number>  (?: 0[xX][0-9a-fA-F]+ | \d+\.\d*(?:[eE][+-]?\d+)? | \d+[eE][+-]?\d+ | \d+ )
                   [uUlLfF]* )
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
        self.function_at: dict[int, str] = (
            {}
        )  # token in a body: the name of the function
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
        key = [
            self.file,
            self.function,
            self.operator,
            self.before,
            self.after,
            str(self.occurrence),
        ]
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
            if statement.kind == "declaration" and all(
                reader.text(i) != "=" for i in tokens
            ):
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
                self.file,
                function,
                line,
                operator,
                begin,
                end,
                replacement,
                before,
                after,
                occurrence,
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
                self._add(
                    i, i, f"{token.text} → {WORDS[token.text]}", WORDS[token.text]
                )
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
                expression = self.source[
                    reader.tokens[first + 1].begin : reader.tokens[last].begin
                ]
                for constant in ("0", "1"):
                    known = {"0": ("0", "false", "NULL"), "1": ("1", "true")}[constant]
                    if expression not in known:
                        self._add(
                            first, last, f"returns {constant}", f"return {constant};"
                        )
            elif (
                statement.kind == "expression"
                and word not in ASSERTS
                and word != "goto"
            ):
                if not (word == "(" and reader.text(first + 1) == "void"):
                    self._add(first, last, "statement dropped", ";")


def mutants_of(root: Path, file: str) -> list[Mutant]:
    return Mutants(file, (root / file).read_text()).found


# ------------------------------------------------------------------ known equivalents


def read_equivalent(path: Path) -> dict[tuple[str, str, str, str], str]:
    """{key: reason} of a file of such entries:

    core/pages/units.c, take_units: reason
        - the line
        + the line, mutated
    """
    known = {}
    entry = re.compile(
        r"^(\S+), (\w+): *(.*(?:\n(?!\s*[-+] ).*\S.*)*)\n\s+- (.*)\n\s+\+ ?(.*)$",
        re.MULTILINE,
    )
    text = path.read_text() if path.exists() else ""
    for file, function, reason, before, after in entry.findall(text):
        known[file, function, before.strip(), after.strip()] = " ".join(reason.split())
    return known


def as_entry(mutant: Mutant) -> str:
    return f"{mutant.file}, {mutant.function}:\n    - {mutant.before}\n    + {mutant.after}".rstrip()
