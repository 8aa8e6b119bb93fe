"""Binary trees of tuples, and lists made of pairs as Lisp does. Churns tuples of two
and three, which the collector of cycles watches."""

DEPTH = 12


def build(depth):
    if depth == 0:
        return (None, None)
    return (build(depth - 1), build(depth - 1))


def count(tree):
    left, right = tree
    return 1 if left is None else 1 + count(left) + count(right)


def chain(values):
    rest = None
    for value in values:
        rest = (value, rest)
    return rest


def mapped(function, pair):
    """A list of `function` of each, in the opposite order."""
    result = None
    while pair is not None:
        value, pair = pair
        result = (function(value), result)
    return result


def total(pair):
    sum = 0
    while pair is not None:
        value, pair = pair
        sum += value
    return sum


def run(scale):
    for _ in range(max(1, round(130 * scale))):
        if count(build(DEPTH)) != 2 ** (DEPTH + 1) - 1:
            raise AssertionError("a tree lost nodes")
        numbers = chain(range(8_000))
        doubled = mapped(lambda n: 2 * n, numbers)
        if total(mapped(abs, doubled)) != 8_000 * 7_999:
            raise AssertionError("a list lost pairs")
