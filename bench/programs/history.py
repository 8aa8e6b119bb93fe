"""Writes a history of texts that change a little with each commit, for `git fast-import`."""

import random
import sys

COMMITS = 120
FILES = 60
LINES = 200
FILES_A_COMMIT = 12
LINES_A_FILE = 20
FIRST_DATE = 10**9  # seconds

rng = random.Random(1)
words = [f"word{number}" for number in range(3000)]


def a_line():
    return " ".join(rng.choices(words, k=8))


def a_file(name, lines):
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(f"M 644 inline folder{name % 7}/file{name}\ndata {len(text)}\n{text}\n")


texts = [[a_line() for _ in range(LINES)] for _ in range(FILES)]
for commit in range(COMMITS):
    sys.stdout.write(
        f"commit refs/heads/main\ncommitter nobody <nobody> {FIRST_DATE + commit} +0000\ndata 2\nc\n\n"
    )
    for name in rng.sample(range(FILES), FILES_A_COMMIT) if commit else range(FILES):
        for line in rng.sample(range(LINES), LINES_A_FILE):
            texts[name][line] = a_line()
        a_file(name, texts[name])
