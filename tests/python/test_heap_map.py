"""heap_map(), as a real browser sees it (Debian: chromium)."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
).split()

PROGRAM = """
import hakmem, json, sys
hakmem.install(profile="speed")
kept = [bytes(i % 900 + 40) for i in range(30000)]
del kept[::2]
large, huge = bytes(100_000), bytes(9_000_000)
hakmem.heap_map(sys.argv[1])
print(json.dumps(hakmem.stats()["superslabs"]))
"""


class Page(HTMLParser):
    """What is on the page: elements by name, and the text in each."""

    def __init__(self, text):
        super().__init__()
        self.elements = []  # (name, attributes, text)
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2] += data

    def all(self, name):
        return [element for element in self.elements if element[0] == name]


@pytest.fixture
def browser(tmp_path):
    program = shutil.which("chromium")
    if not program:
        pytest.skip("chromium is missing: `make test-page` installs it")

    def look(*options):
        command = [program, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return look


def test_a_browser_shows_every_superslab_and_class(system_python, browser, tmp_path):
    file = tmp_path / "map.html"
    superslabs = int(system_python.run("-c", PROGRAM, file).stdout)
    page = Page(browser("--dump-dom", file.as_uri()))
    assert [each[2].strip() for each in page.all("h1")] == ["The heap “python”"]
    rows = [each for each in page.all("svg") if each[1].get("class") == "superslab"]
    assert len(rows) == superslabs
    titles = [each[2].strip() for each in page.all("title")]
    slabs = [re.match(r"blocks of (\d+) bytes: (\d+) of (\d+) in use", t) for t in titles]
    slabs = [tuple(map(int, match.groups())) for match in slabs if match]
    assert len(slabs) > 100
    assert all(live <= capacity for _, live, capacity in slabs)
    assert sum(live for _, live, _ in slabs) >= 14000
    assert len({size for size, _, _ in slabs}) > 10
    assert "one block of 100 KiB" in titles
    assert any(title.startswith("a huge block of 8") for title in titles)
    assert any(title.startswith("the nest") for title in titles)
    assert len(page.all("tr")) > 20


def test_a_browser_draws_it_in_colour(system_python, browser, tmp_path):
    file, picture = tmp_path / "map.html", tmp_path / "map.png"
    system_python.run("-c", PROGRAM, file)
    browser("--window-size=1100,900", f"--screenshot={picture}", file.as_uri())
    assert picture.read_bytes().startswith(b"\x89PNG")
    blank = tmp_path / "blank.html"
    blank.write_text("<!DOCTYPE html><title>blank</title>", encoding="utf-8")
    other = tmp_path / "blank.png"
    browser("--window-size=1100,900", f"--screenshot={other}", blank.as_uri())
    assert picture.stat().st_size > 5 * other.stat().st_size


def test_a_file_that_cannot_be_written_is_an_error(python):
    python.code(
        """
import hakmem
hakmem.install()
for path in "/nowhere/map.html", "/":
    try:
        hakmem.heap_map(path)
    except OSError as error:
        assert error.errno, error
    else:
        raise SystemExit("no error")
try:
    hakmem.heap_map(5)
except TypeError:
    pass
else:
    raise SystemExit("no error")
"""
    )
