"""Tuples of 20 to 500 entries, as rows of wide tables, keys and argument lists. Churns
blocks of 200 to 4,000 bytes, sorted, sliced, joined and hashed."""


def row(seed, width):
    return tuple(range(seed, seed + width))


def largest(*values):
    return max(values)


def run(scale):
    kept = {}
    for turn in range(max(1, round(1_400 * scale))):
        width = 20 + turn * 37 % 480
        table = [row(i, width) for i in range(60)]
        columns = list(zip(*table))
        if len(columns) != width or columns[0] != tuple(range(60)):
            raise AssertionError("a column is wrong")
        joined = tuple(a + b for a, b in zip(table, reversed(table)))
        if sum(map(len, joined)) != 60 * 2 * width:
            raise AssertionError("entries are missing")
        halves = [wide[::2] for wide in joined]
        if sorted(halves)[0][0] != 0 or largest(*table[7]) != 6 + width:
            raise AssertionError("a tuple has other entries")
        keys = {wide[:10]: index for index, wide in enumerate(table)}
        if keys[row(9, 10)] != 9:
            raise AssertionError("a key is not found")
        kept[turn % 40] = halves[turn % 60]
