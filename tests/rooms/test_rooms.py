"""The ground plan: each room of core/ knows those below it only, and each by its door.

Includes are read from the sources, calls from the object files. See docs/design.md.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("HAK_BUILD", ROOT / "build"))

ROOMS = ("os", "policy", "pages", "heap", "threads", "insight")  # from below
PUBLIC = "hakmem.h"  # for programs; every room may include it

Edges = dict[str, set[str]]

# ------------------------------------------------------------------ includes


def included(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".h"))


def room_of(name: str) -> str:
    return name.split("/")[0]


def is_above(room: str, other: str) -> bool:
    return ROOMS.index(room) > ROOMS.index(other)


def door_of(room: str) -> str:
    return f"{room}/{room}.h"


def complaints(core: Path) -> list[str]:
    """What is wrong with the includes of a core."""
    told = []
    for path in sources(core):
        name = path.relative_to(core).as_posix()
        if name == PUBLIC:
            continue
        if "/" not in name or room_of(name) not in ROOMS:
            told.append(f"{name} lies in no room")
            continue
        for other in included(path):
            if other == PUBLIC:
                continue
            if not (core / other).is_file() or room_of(other) not in ROOMS:
                told.append(f"{name} includes {other}, which is no file of a room")
            elif is_above(room_of(other), room_of(name)):
                told.append(f"{name} includes {other}, which goes up")
            elif room_of(other) != room_of(name) and other != door_of(room_of(other)):
                told.append(f"{name} includes {other}, past the door {door_of(room_of(other))}")
    return told


def stem(name: str) -> str:
    return name.rsplit(".", 1)[0]


def file_edges(folder: Path) -> Edges:
    """Which files need which, a source and its header being one."""
    edges: Edges = defaultdict(set)
    for path in sources(folder):
        name = stem(path.relative_to(folder).as_posix())
        for other in included(path):
            if (folder / other).is_file() and stem(other) != name:
                edges[name].add(stem(other))
    return edges


def circles(edges: Edges) -> list[list[str]]:
    """Sets of nodes each of which reaches all the others."""

    def reached(node: str) -> set[str]:
        seen: set[str] = set()
        rest = [node]
        while rest:
            for other in edges.get(rest.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    rest.append(other)
        return seen

    reach = {node: reached(node) for node in list(edges)}
    found = {
        tuple(sorted(o for o in reach if o in reach[node] and node in reach[o])) for node in reach
    }
    return [list(circle) for circle in sorted(found) if circle]


# ------------------------------------------------------------------ calls


def symbols(path: Path) -> tuple[set[str], set[str]]:
    """The names that an object defines for others, and those that it needs of them."""
    told = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    defined, needed = set(), set()
    for line in told.splitlines():
        kind, name = line.split()[-2:]
        if kind in "Uw":
            needed.add(name)
        elif kind.isupper():
            defined.add(name)
    return defined, needed


def call_edges(objects: dict[str, Path]) -> dict[tuple[str, str], set[str]]:
    """What is needed of whom, by name of the object."""
    table = {name: symbols(path) for name, path in objects.items()}
    home = {symbol: name for name, (defined, _) in table.items() for symbol in defined}
    edges: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, (_, needed) in table.items():
        for symbol in needed:
            edges[name, home.get(symbol, "")].add(symbol)
    return edges


def core_objects() -> dict[str, Path]:
    core = BUILD / "pic" / "core"
    made = {path.relative_to(core).as_posix()[:-2]: path for path in core.rglob("*.o")}
    there = {path.relative_to(ROOT / "core").as_posix()[:-2] for path in ROOT.glob("core/*/*.c")}
    assert there <= set(made), "make libs first"
    return {name: made[name] for name in there}


# ------------------------------------------------------------------ the core


def test_includes_go_down_and_through_doors():
    assert complaints(ROOT / "core") == []


def test_no_two_files_need_each_other():
    assert circles(file_edges(ROOT / "core")) == []


def test_calls_go_down():
    objects = core_objects()
    assert {room_of(name) for name in objects} == set(ROOMS)
    edges = call_edges(objects)
    assert len(edges) > 100, "nm has found little"
    nowhere = [one for (_, other), of in edges.items() if not other for one in of]
    assert [name for name in nowhere if name.startswith("hak")] == []
    up = [
        f"{name} calls {', '.join(sorted(of))} of {other}, which goes up"
        for (name, other), of in sorted(edges.items())
        if other and is_above(room_of(other), room_of(name))
    ]
    assert up == []


def test_the_plan_names_each_file():
    text = (ROOT / "docs" / "design.md").read_text()
    plan = text[text.index("## The rooms of core") : text.index("## The hot path")]
    named = set(re.findall(r"`(?:[\w/]+/)?(\w+\.[ch])`", plan))
    there = {path.name for path in sources(ROOT / "core") + sources(ROOT / "bindings")}
    assert named - there == set()
    stems = {stem(path.name) for path in ROOT.glob("core/*/*.[ch]")}
    assert stems - {stem(name) for name in named} - set(ROOMS) == set()


# ------------------------------------------------------------------ the adapters


@pytest.mark.parametrize("folder", [".", "lua", "python"])
def test_adapters_come_through_doors(folder):
    doors = {PUBLIC, *map(door_of, ROOMS)}
    for path in sorted((ROOT / "bindings" / folder).glob("*.[chi]")):
        past = [o for o in included(path) if (ROOT / "core" / o).is_file() and o not in doors]
        assert past == [], path


@pytest.mark.parametrize("folder", ["lua", "python"])
def test_no_two_files_of_an_adapter_need_each_other(folder):
    assert circles(file_edges(ROOT / "bindings" / folder)) == []


@pytest.mark.parametrize("folder, made", [("lua", "lua5.4"), ("lua", "luajit"), ("python", "python*")])
def test_no_two_files_of_an_adapter_call_each_other(folder, made):
    names = {path.stem for path in (ROOT / "bindings" / folder).glob("*.c")}
    static = max((BUILD / "static").glob(made), key=lambda folder: folder.stat().st_mtime)  # not of an older build
    objects = {name: static / f"{name}.o" for name in names}
    edges: Edges = defaultdict(set)
    for name, other in call_edges(objects):
        if other:
            edges[name].add(other)
    assert edges and circles(edges) == []


# ------------------------------------------------------------------ the test itself


@pytest.fixture
def core(tmp_path):
    """A core of one file and one door to a room."""
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / f"{room}.h").write_text(f'#include "{room}/thing.h"\n')
        (tmp_path / room / "thing.h").write_text("")
        (tmp_path / room / "thing.c").write_text(f'#include "{room}/thing.h"\n')
    (tmp_path / PUBLIC).write_text("")
    assert complaints(tmp_path) == [] and circles(file_edges(tmp_path)) == []
    return tmp_path


@pytest.mark.parametrize(
    "name, other, says",
    [
        ("os/thing.c", "policy/policy.h", "which goes up"),
        ("pages/thing.h", "heap/heap.h", "which goes up"),
        ("insight/thing.c", "heap/thing.h", "past the door heap/heap.h"),
        ("heap/thing.c", "heap/nothing.h", "which is no file of a room"),
        ("thing.c", "hakmem.h", "lies in no room"),
        ("cellar/thing.c", "hakmem.h", "lies in no room"),
    ],
)
def test_what_is_wrong_is_found(core, name, other, says):
    (core / name).parent.mkdir(exist_ok=True)
    with (core / name).open("a") as file:
        file.write(f'#include "{other}"\n')
    (told,) = complaints(core)
    assert told.startswith(name) and says in told


def test_circles_are_found(core):
    (core / "heap" / "other.h").write_text('#include "heap/thing.h"\n')
    (core / "heap" / "thing.c").write_text('#include "heap/other.h"\n')
    assert circles(file_edges(core)) == [["heap/other", "heap/thing"]]
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"d", "a"}, "d": set()}) == [["a", "b", "c"]]


def test_calls_are_found(tmp_path):
    texts = {"one": "int two(void); int one(void) { return two(); }", "two": "int two(void) { return 2; }"}
    objects = {name: tmp_path / f"{name}.o" for name in texts}
    for name, text in texts.items():
        (tmp_path / f"{name}.c").write_text(text)
        subprocess.run(["cc", "-c", f"{name}.c"], cwd=tmp_path, check=True)
    found = call_edges(objects)
    assert {key: found[key] for key in found if key[1]} == {("one", "two"): {"two"}}
