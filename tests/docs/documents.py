"""The documents, their programs, and how these are run."""

import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(name):
    """The code blocks of a document, as (language, text)."""
    return BLOCK.findall((DOCS / name).read_text())


def with_output(name, language):
    """Programs of a document in one language, each with the text block that follows it."""
    found = blocks(name)
    return [
        (program, output)
        for (kind, program), (next_kind, output) in zip(found, found[1:])
        if kind == language and next_kind == "text"
    ]


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def functions_of(header):
    """The functions of ours that a header declares."""
    code = re.sub(r"/\*.*?\*/", "", (ROOT / header).read_text(), flags=re.S)
    found = set(re.findall(r"\b(hak_\w+)\(", code))
    assert found
    return found


def validator(name):
    """Of a schema in docs/, which is one."""
    schema = json.loads((DOCS / name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def assert_described(value, by):
    """The schema describes the value, and is none that takes everything."""
    by.validate(value)
    for key in value:
        assert not by.is_valid({**value, key: [None]})
        assert not by.is_valid({k: v for k, v in value.items() if k != key})


PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")
PYTHON_VERSION, PYTHON_LIBRARIES = run(
    [PYTHON, "-c", "import sys, sysconfig; "
     "print('%d.%d' % sys.version_info[:2], sysconfig.get_config_var('LIBDIR'))"]
).split()

# What pkg-config calls the library that a document is about.
PACKAGES = {
    "embedding-lua.md": "hakmem-lua5.4",
    "embedding-python.md": f"hakmem-python-{PYTHON_VERSION}",
    "c-interface.md": "hakmem",
}

# The modules: the directory of each interpreter.
LUAS = {"lua5.1": "5.1", "lua5.2": "5.2", "lua5.3": "5.3", "lua5.4": "5.4", "luajit": "5.1"}

# For Lua: a heap with a block of each size.
HEAP_AT_WORK = """
local h = require "hakmem"
h.install { limit = 2^30, name = "a \\"name\\"" }
kept = {}
for i = 1, 3000 do kept[i] = ("x"):rep(i) end
"""
