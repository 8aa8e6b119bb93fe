"""Prints the observations of a heap (docs/observing.md) as a table.

    python3 bench/observations.py FILE

FILE is what hak_heap_observations_json, random_mixed --observations or Lua's
hakmem.observations_json() has written; - is the standard input.
"""

import json
import sys

TOTALS = "operations allocations frees refusals hits misses refills live_blocks".split()
ROW = "{:>8} {:>12} {:>12} {:>8} {:>8} {:>8} {:>12} {:>16}"


def part(of, whole):
    return f"{of / whole:.1%}" if whole else "-"


def median(ranges):
    """The range of a histogram in which its median lies."""
    left = sum(each["count"] for each in ranges) / 2
    for each in ranges:
        left -= each["count"]
        if left <= 0:
            return f"{each['from']} to {each['to']}"
    return "-"


def row(of):
    unasked = of["bytes_given"] - of["bytes_requested"]
    return ROW.format(
        of["size"] or "pages",
        of["requests"],
        of["frees"],
        of["live"],
        part(of["hits"], of["requests"]),
        of["refills"],
        part(unasked, of["bytes_given"]),
        median(of["lifetimes"]),
    )


def main(path):
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as file:
        seen = json.load(file)
    print(f"{seen['name']}:", ", ".join(f"{seen[name]} {name}" for name in TOTALS))
    print(ROW.format(*"size requests frees live hits refills unasked lifetime".split()))
    for of in seen["classes"]:
        print(row(of))
    print("(unasked: of the bytes given; lifetime: the median, in operations)")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: observations.py FILE")
    main(sys.argv[1])
