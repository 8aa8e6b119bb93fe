"""Every function, option and build is documented."""

import os
import re
import subprocess

import pytest
from documents import DOCS, ROOT, blocks, functions_of, run


def test_every_function_is_in_pythons_reference(python_environment):
    program = """
import hakmem, inspect
from hakmem import prometheus, startup
for name in hakmem.__all__:
    thing = getattr(hakmem, name)
    print(name + str(inspect.signature(thing)) if callable(thing) else name)
print("prometheus.register" + str(inspect.signature(prometheus.register)))
for name in ("enable", "disable", "status"): print(f"startup.{name}()")
"""
    text = (DOCS / "python.md").read_text()
    listed = run(["python3", "-c", program], env=python_environment).splitlines()
    assert len(listed) > 12
    for call in listed:
        assert f"`{call}`".replace("'", '"') in text


def test_every_option_is_documented():
    listed = run([str(ROOT / "build" / "hakmem"), "options"])
    rows = re.findall(r"^(\w+) +(HAKMEM_\w+)", listed, re.M)
    text = (DOCS / "profiles.md").read_text()
    assert len(rows) > 10
    for name, variable in rows:
        assert f"| `{name}` | `{variable}` |" in text, name


def test_shell_commands_for_profiles_work():
    commands = [text for kind, text in blocks("profiles.md") if kind == "sh"]
    assert commands
    for command in commands:
        run(["sh", "-ec", command], cwd=ROOT)


def test_shell_commands_for_builds_work():
    commands = [text for kind, text in blocks("builds.md") if kind == "sh"]
    told = [run(["sh", "-ec", command], cwd=ROOT) for command in commands]
    assert told == ["0.1.0 (standard)\n"]
    assert f"`{told[0].strip()}`" in (DOCS / "builds.md").read_text()


def test_every_public_function_is_in_the_reference():
    text = (DOCS / "c-interface.md").read_text()
    for name in functions_of("core/hakmem.h"):
        assert f"`{name}" in text, name


def test_the_manual_declares_functions_as_the_header_does():
    header = re.sub(r"/\*.*?\*/", "", (ROOT / "core" / "hakmem.h").read_text(), flags=re.S)
    header = " ".join(re.sub(r"HAK_API |HAK_ALLOC_ATTRIBUTES\(\d\) ", "", header).split())
    page = (DOCS / "man" / "hakmem.3").read_text()
    declared = re.findall(r'^\.BI "(.*)', page, re.MULTILINE)
    assert len(declared) > 20
    for line in declared:
        assert "".join(line.replace('"', "").split()) in header.replace(" ", ""), line


@pytest.mark.parametrize("page", ["hakmem.1", "hakmem.3"])
def test_the_manual_can_be_read(page):
    done = subprocess.run(
        ["man", "--warnings", "-l", DOCS / "man" / page], capture_output=True, text=True, timeout=60,
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0 and done.stderr == ""
    for part in "NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO":
        assert part in done.stdout


def test_every_function_for_python_hosts_is_in_the_guide():
    text = (DOCS / "embedding-python.md").read_text()
    for name in functions_of("bindings/python/hakmem_python.h"):
        assert name in text, name
