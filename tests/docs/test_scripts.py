"""The programs for Lua and Python in the documents, and their commands, do what the documents say."""

import os

import pytest

from documents import LUAS, blocks, run, with_output


@pytest.mark.parametrize("lua", LUAS)
@pytest.mark.parametrize("program, output", with_output("lua-scripts.md", "lua"))
def test_lua_programs_print_what_is_said(program, output, lua, prefix, tmp_path):
    if "kinds.table" in program and LUAS[lua] == "5.1":
        pytest.skip("there all is `other`, as the document says")
    script = tmp_path / "script.lua"
    script.write_text(program)
    environment = dict(os.environ, LUA_CPATH=f"{prefix}/lib/lua/{LUAS[lua]}/?.so;;")
    assert run([lua, str(script)], env=environment) == output


def test_openmetrics_has_the_names_that_python_has(lua_environment, python_environment):
    """All lines but the numbers, and what is there for some size classes only."""

    def shape(text):
        assert text.endswith("# EOF\n")
        lines = [line if line[0] == "#" else line.rpartition(" ")[0] for line in text.splitlines()]
        return [line for line in lines if not line.startswith("hakmem_class_")]

    in_python = "import hakmem; hakmem.install(); print(hakmem.openmetrics(), end='')"
    in_lua = "local h = require 'hakmem' h.install() io.write(h.openmetrics())"
    assert shape(run(["lua5.4", "-e", in_lua], env=lua_environment)) == shape(
        run(["python3", "-c", in_python], env=python_environment)
    )


def test_shell_commands_for_scripts_work(lua_environment, tmp_path):
    (tmp_path / "script.lua").write_text('assert(require("hakmem").installed())\n')
    commands = [text for kind, text in blocks("lua-scripts.md") if kind == "sh"]
    assert commands
    for command in commands:
        run(["sh", "-ec", command], cwd=tmp_path, env=lua_environment)


@pytest.mark.parametrize("program, output", with_output("python.md", "python"))
def test_python_programs_print_what_is_said(program, output, python_environment):
    assert run(["python3", "-c", program], env=python_environment) == output


def test_shell_commands_for_python_work(python_environment, tmp_path):
    commands = [text for kind, text in blocks("python.md") if kind == "sh"]
    assert commands
    for command in commands:
        run(["sh", "-ec", command], cwd=tmp_path, env=python_environment)
