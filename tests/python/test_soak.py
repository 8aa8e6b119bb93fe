"""A few seconds of soak.py; `make soak-python` runs it for longer."""

import re
from pathlib import Path


def test_five_seconds(python):
    ended = python.run(Path(__file__).with_name("soak.py"), 5)
    made, checks, cycles = map(
        int, re.findall(r"(\d+) (?:items|checks|cycles)", ended.stdout)
    )
    assert made > 1000 and checks > 1000 and cycles >= 1000, ended.stdout
