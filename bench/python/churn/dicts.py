"""Dicts that grow from nothing, are copied, merged, inverted and dropped: small ones as
rows, and some of thousands of keys. Churns tables of 100 bytes to 300 KB."""

ROWS = 4_000


def rows(start):
    return [
        {"id": i, "name": f"n{i}", "parent": i // 2, "size": i * 1.5}
        for i in range(start, start + ROWS)
    ]


def run(scale):
    window = []
    for turn in range(max(1, round(125 * scale))):
        start = turn * ROWS
        table = rows(start)
        index = {}
        for row in table:
            index[row["name"]] = row
        children = {}
        for row in table:
            children.setdefault(row["parent"], []).append(row["id"])
        if sum(map(len, children.values())) != ROWS:
            raise AssertionError("a child is missing")
        changed = [{**row, "seen": True} for row in table if row["id"] % 2]
        if len(changed) != ROWS // 2 or not all(len(row) == 5 for row in changed):
            raise AssertionError("a merged row is wrong")
        inverse = {row["id"]: name for name, row in index.items()}
        if inverse[start + 7] != f"n{start + 7}":
            raise AssertionError("the inverse does not agree")
        window.append({key: inverse[key] for key in list(inverse)[::10]})
        del window[:-6]
