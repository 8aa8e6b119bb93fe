"""Functions made by functions, bound methods, partial applications, generators and
exceptions. Churns function objects, cells, frames, argument tuples and tracebacks."""

from functools import partial


def adder(n):
    def add(x):
        return x + n

    return add


def compose(f, g):
    return lambda x: g(f(x))


class Counter:
    def __init__(self):
        self.count = 0

    def add(self, n=1):
        self.count += n
        return self


def countdown(n):
    while n:
        yield n
        n -= 1


def parse(text):
    try:
        return int(text)
    except ValueError as error:
        return len(error.args)


def run(scale):
    for turn in range(max(1, round(170 * scale))):
        functions = [adder(i) for i in range(1_500)]
        both = [compose(f, g) for f, g in zip(functions, reversed(functions))]
        if {f(0) for f in both} != {1_499}:
            raise AssertionError("a composed function gives another sum")
        counter = Counter()
        steps = [partial(counter.add, n=i) for i in range(1_500)]
        for step in steps:
            step()
        if counter.count != 1_500 * 1_499 // 2:
            raise AssertionError("a partial application was lost")
        if sum(sum(countdown(n)) for n in range(60)) != 35_990:
            raise AssertionError("a countdown is wrong")
        if [parse(text) for text in ("12", "x", "7") * 300] != [12, 1, 7] * 300:
            raise AssertionError("a number was not parsed")
        methods = [getattr(counter, "add") for _ in range(1_500)]
        if methods[-1](0) is not counter:
            raise AssertionError("a method lost its object")
