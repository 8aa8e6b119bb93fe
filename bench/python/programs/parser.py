"""A small language: source text is split into tokens, parsed by recursive descent into
a tree, printed again, and evaluated. Churns tokens, nodes of the tree, dicts of
variables and strings; the trees of the last programs stay alive.
"""

import operator
import random
import re
from collections import ChainMap, deque, namedtuple
from dataclasses import dataclass

KEPT_PROGRAMS = 30

Token = namedtuple("Token", "kind text line")


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


class ParseError(Exception):
    pass


SYMBOLS = re.compile(r"\s*(?:(\d+)|([a-z_]\w*)|(==|<=|[-+*/%<=(){},;]))")
KEYWORDS = {"let", "while", "if", "else", "def", "return"}
FUNCTIONS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}


def tokenize(source):
    tokens = []
    for number, line in enumerate(source.split("\n"), 1):
        line = line.rstrip()
        at = 0
        while at < len(line):
            match = SYMBOLS.match(line, at)
            if match is None:
                raise ParseError(f"line {number}: cannot read {line[at:]!r}")
            digits, name, symbol = match.groups()
            if digits:
                tokens.append(Token("number", digits, number))
            elif name and name not in KEYWORDS:
                tokens.append(Token("name", name, number))
            else:
                tokens.append(Token(name or symbol, name or symbol, number))
            at = match.end()
    tokens.append(Token("end", "", source.count("\n") + 1))
    return tokens


# The nodes of the tree. Expressions have a value, statements are executed.


@dataclass
class Number:
    value: int

    def evaluate(self, names):
        return self.value

    def __str__(self):
        return str(self.value)


@dataclass
class Name:
    name: str

    def evaluate(self, names):
        return names[self.name]

    def __str__(self):
        return self.name


@dataclass
class Negation:
    inner: object

    def evaluate(self, names):
        return -self.inner.evaluate(names)

    def __str__(self):
        return f"-{self.inner}"


@dataclass
class Operation:
    symbol: str
    left: object
    right: object

    def evaluate(self, names):
        function = FUNCTIONS[self.symbol]
        return function(self.left.evaluate(names), self.right.evaluate(names))

    def __str__(self):
        return f"({self.left} {self.symbol} {self.right})"


@dataclass
class Call:
    name: str
    arguments: list

    def evaluate(self, names):
        values = [argument.evaluate(names) for argument in self.arguments]
        return names[self.name].call(values, names.maps[-1])

    def __str__(self):
        return f"{self.name}({', '.join(map(str, self.arguments))})"


@dataclass
class Let:
    name: str
    value: object

    def execute(self, names):
        names[self.name] = self.value.evaluate(names)

    def __str__(self):
        return f"let {self.name} = {self.value};"


class Returned(Exception):
    """Carries the value of a return statement out of its function."""


@dataclass
class Return:
    value: object

    def execute(self, names):
        raise Returned(self.value.evaluate(names))

    def __str__(self):
        return f"return {self.value};"


@dataclass
class Block:
    statements: list

    def execute(self, names):
        for statement in self.statements:
            statement.execute(names)

    def __str__(self):
        return "\n".join(["{", *map(str, self.statements), "}"])


@dataclass
class While:
    condition: object
    body: Block

    def execute(self, names):
        while self.condition.evaluate(names):
            self.body.execute(names)

    def __str__(self):
        return f"while {self.condition} {self.body}"


@dataclass
class If:
    condition: object
    body: Block
    otherwise: object = None

    def execute(self, names):
        if self.condition.evaluate(names):
            self.body.execute(names)
        elif self.otherwise:
            self.otherwise.execute(names)

    def __str__(self):
        text = f"if {self.condition} {self.body}"
        return f"{text} else {self.otherwise}" if self.otherwise else text


@dataclass
class Function:
    name: str
    parameters: list
    body: Block

    def execute(self, names):
        names[self.name] = self

    def call(self, values, global_names):
        names = ChainMap(dict(zip(self.parameters, values)), global_names)
        try:
            self.body.execute(names)
        except Returned as result:
            return result.args[0]
        return 0

    def __str__(self):
        return f"def {self.name}({', '.join(self.parameters)}) {self.body}"


class Parser:
    LEVELS = [("<", "<=", "=="), ("+", "-"), ("*", "/", "%")]

    def __init__(self, source):
        self.tokens = tokenize(source)
        self.at = 0

    def next(self, *kinds):
        """The next token if it is of one of the kinds, else nothing."""
        token = self.tokens[self.at]
        if token.kind in kinds:
            self.at += 1
            return token
        return None

    def expect(self, kind):
        token = self.next(kind)
        if token is None:
            found = self.tokens[self.at]
            raise ParseError(f"line {found.line}: {kind} expected, not {found.text!r}")
        return token

    def program(self):
        statements = []
        while not self.next("end"):
            statements.append(self.statement())
        return statements

    def block(self):
        self.expect("{")
        statements = []
        while not self.next("}"):
            statements.append(self.statement())
        return Block(statements)

    def statement(self):
        if self.next("while"):
            return While(self.expression(), self.block())
        if self.next("if"):
            condition, body = self.expression(), self.block()
            return If(condition, body, self.block() if self.next("else") else None)
        if self.next("def"):
            name, parameters = self.expect("name").text, []
            self.expect("(")
            while not self.next(")"):
                parameters.append(self.expect("name").text)
                self.next(",")
            return Function(name, parameters, self.block())
        if self.next("return"):
            result = Return(self.expression())
        else:
            self.expect("let")
            name = self.expect("name").text
            self.expect("=")
            result = Let(name, self.expression())
        self.expect(";")
        return result

    def expression(self, level=0):
        if level == len(self.LEVELS):
            return self.unary()
        left = self.expression(level + 1)
        while True:
            token = self.next(*self.LEVELS[level])
            if token is None:
                return left
            left = Operation(token.text, left, self.expression(level + 1))

    def unary(self):
        if self.next("-"):
            return Negation(self.unary())
        if self.next("("):
            inner = self.expression()
            self.expect(")")
            return inner
        number = self.next("number")
        if number:
            return Number(int(number.text))
        name = self.expect("name").text
        if not self.next("("):
            return Name(name)
        arguments = []
        while not self.next(")"):
            arguments.append(self.expression())
            self.next(",")
        return Call(name, arguments)


def execute(statements):
    names = ChainMap({})
    for statement in statements:
        statement.execute(names)
    return names.maps[-1]


LIBRARY = """
def gcd(a, b) { while 0 < b { let t = a % b; let a = b; let b = t; } return a; }
def fib(n) { if n < 2 { return n; } return fib(n - 1) + fib(n - 2); }
def is_prime(n) {
    let d = 2;
    while d * d <= n { if n % d == 0 { return 0; } let d = d + 1; }
    return 1 - (n < 2);
}
let g = gcd(2 * 3 * 5 * 7 * 11, 3 * 7 * 13 * 17);
let f = fib(10);
let primes = 0;
let n = 1;
while n <= 100 { let primes = primes + is_prime(n); let n = n + 1; }
"""


# Made-up expressions, as pairs of the text and the value.


def make_factor(rng, names, depth):
    choice = rng.randrange(6)
    if choice == 0:
        text, value = make_factor(rng, names, depth)
        return f"-{text}", -value
    if choice < 3 and depth > 0:
        text, value = make_sum(rng, names, depth - 1)
        return f"({text})", value
    if choice == 3 and names:
        return rng.choice(list(names.items()))
    value = rng.randrange(1000)
    return str(value), value


def make_product(rng, names, depth):
    text, value = make_factor(rng, names, depth)
    for _ in range(rng.randrange(3)):
        factor, factor_value = make_factor(rng, names, depth)
        symbol = rng.choice("*/%") if factor_value else "*"
        text = f"{text} {symbol} {factor}"
        value = FUNCTIONS[symbol](value, factor_value)
    return text, value


def make_sum(rng, names, depth):
    text, value = make_product(rng, names, depth)
    for _ in range(rng.randrange(4)):
        symbol = rng.choice("+-")
        term, term_value = make_product(rng, names, depth)
        text = f"{text} {symbol} {term}"
        value = FUNCTIONS[symbol](value, term_value)
    return text, value


def make_program(rng, statements):
    """Source text, and the values of its variables at the end."""
    lines, names = [], {}
    for number in range(statements):
        text, value = make_sum(rng, names, 2)
        name = f"x_{number}"
        lines.append(f"let {name} = ({text}) % 10007;")
        names[name] = value % 10007
    return "\n".join(lines), names


def check_errors():
    for source, message in [
        ("let a = 1\nlet b = 2;", "line 2: ; expected, not 'let'"),
        ("let a = (1 + 2;", "line 1: ) expected, not ';'"),
        ("let a = 1 ? 2;", "line 1: cannot read ' ? 2;'"),
    ]:
        try:
            Parser(source).program()
        except ParseError as error:
            check("error", str(error), message)
        else:
            raise AssertionError(f"a bad program was accepted: {source}")


def run(scale):
    rng = random.Random(1960)
    kept = deque(maxlen=KEPT_PROGRAMS)
    check_errors()
    for _ in range(max(1, round(50 * scale))):
        source, expected = make_program(rng, 25)
        program = Parser(LIBRARY + source).program()
        names = execute(program)
        check("greatest common divisor", names["g"], 21)
        check("Fibonacci number", names["f"], 55)
        check("primes up to 100", names["primes"], 25)
        check("variables", {name: names[name] for name in expected}, expected)

        printed = "\n".join(map(str, program))
        again = Parser(printed).program()
        check("the same tree again", again == program, True)
        kept.append((again, expected))
    for program, expected in kept:
        names = execute(program)
        check("kept variables", {name: names[name] for name in expected}, expected)
