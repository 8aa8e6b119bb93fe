#!/usr/bin/env python3
"""Writes the core as one source file and its header, for a project that has it in its tree.

    amalgamate.py FOLDER

FOLDER/hakmem.c has all of core/, each file once, what it includes before it. Names that several
files have for things of their own, and those that libc has too, get the name of the file behind.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core"
LIBC = ctypes.CDLL(None)

# What has no names: comments, strings and characters, and what is no name of its own: a field.
TOKENS = re.compile(
    r"""(?P<skip>/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:->|\.)\s*\w+)|(?P<name>[A-Za-z_]\w*)""",
    re.S,
)
INCLUDE = re.compile(r'^#include "(.+)"\n', re.M)
OWN = (
    r"^static[^=;{()]*?\b(\w+)\s*[=;\[(]",  # functions and variables
    r"^\} (\w+);",  # types, and variables of a type without a name
    r"^(?:typedef )?(?:struct|enum|union) (\w+) \{",
    r"^#define (\w+)",
)
GNU = "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE\n#endif\n"
ENUMS = r"^(?:typedef )?enum[^{;]*\{(.*?)\}"


def own_names(text: str) -> set[str]:
    """Names that a source file defines for itself."""
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    names = {name for pattern in OWN for name in re.findall(pattern, code, re.M)}
    for body in re.findall(ENUMS, code, re.M | re.S):
        names.update(re.findall(r"(?:^|,)\s*(\w+)", body))
    return {name for name in names if not name.startswith("__")}


def renamed(text: str, names: set[str], file: str) -> str:
    """The text with the file's name behind these names."""

    def one(match: re.Match[str]) -> str:
        name = match["name"]
        return f"{name}_of_{file}" if name in names else match[0]

    return TOKENS.sub(one, text)


def without_macros(text: str) -> str:
    """Lines that undefine the macros of a source file."""
    return "".join(f"#undef {name}\n" for name in re.findall(r"^#define (\w+)", text, re.M))


def amalgamation() -> str:
    sources = sorted(CORE.glob("*/*.c"))
    texts = {path: path.read_text() for path in sources}
    own = {path: own_names(text) for path, text in texts.items()}
    count = Counter(name for names in own.values() for name in names)
    seen: set[str] = {"hakmem.h"}
    version = re.search(r'HAK_VERSION "(.*)"', (CORE / "hakmem.h").read_text())[1]
    parts = [f'/* hakmem {version}, all of core/ in one file. */\n{GNU}#include "hakmem.h"\n']

    def headers_of(text: str) -> None:
        for name in INCLUDE.findall(text):
            if name not in seen:
                seen.add(name)
                header = (CORE / name).read_text()
                headers_of(header)
                parts.append(f"/* {name} */\n" + INCLUDE.sub("", header))

    for path, text in texts.items():
        headers_of(text)
        shared = {name for name in own[path] if count[name] > 1 or hasattr(LIBC, name)}
        body = renamed(INCLUDE.sub("", text), shared, path.stem)
        name = path.relative_to(CORE).as_posix()
        parts.append(f"/* {name} */\n{body}{without_macros(body)}")
    return "\n".join(parts)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: amalgamate.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hakmem.c").write_text(amalgamation())
    (folder / "hakmem.h").write_text((CORE / "hakmem.h").read_text())


if __name__ == "__main__":
    main()
