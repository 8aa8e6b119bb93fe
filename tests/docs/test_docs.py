"""What the documents say is true: their programs compile against an installed hakmem and print what
the documents say they print."""

import os
import re
import subprocess
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """Where `make install` has put everything."""
    path = tmp_path_factory.mktemp("installed")
    run(["make", "-C", str(ROOT), "install", f"PREFIX={path}"])
    return path


def test_install_honours_destdir(tmp_path):
    run(["make", "-C", str(ROOT), "install", f"DESTDIR={tmp_path}", "PREFIX=/opt/hakmem"])
    installed = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if not p.is_dir()}
    for name in (
        "include/hakmem.h",
        "include/hakmem_lua.h",
        "include/hakmem_python.h",
        "lib/libhakmem.a",
        "lib/libhakmem.so",
        "lib/lua/5.4/hakmem.so",
        "lib/pkgconfig/hakmem.pc",
        "lib/pkgconfig/hakmem-lua5.4.pc",
        f"lib/libhakmem_python{PYTHON_VERSION}.a",
        f"lib/pkgconfig/hakmem-python-{PYTHON_VERSION}.pc",
    ):
        assert f"opt/hakmem/{name}" in installed
    assert "/opt/hakmem/lib" in (tmp_path / "opt/hakmem/lib/pkgconfig/hakmem.pc").read_text().replace(
        "${prefix}", "/opt/hakmem"
    )


@pytest.mark.parametrize("flags", [["-O2"], ["-O2", "-flto"]], ids=["plain", "lto"])
@pytest.mark.parametrize(
    "document, program, output",
    [
        (document, program, output)
        for document in PACKAGES
        for program, output in with_output(document, "c")
    ],
    ids=lambda value: re.match(r"/\* (\w+\.c)", value)[1] if str(value).startswith("/*") else "",
)
def test_c_programs_compile_and_print_what_is_said(document, program, output, flags, prefix, tmp_path):
    name = re.match(r"/\* (\w+)\.c", program)[1]
    (tmp_path / f"{name}.c").write_text(program)
    package = PACKAGES[document]
    path = f"{prefix}/lib/pkgconfig:{PYTHON_LIBRARIES}/pkgconfig"
    environment = dict(os.environ, PKG_CONFIG_PATH=path)
    libraries = run(["pkg-config", "--cflags", "--libs", package], env=environment).split()
    compiler = [os.environ.get("CC", "cc"), *flags, "-Wall", "-Wextra", "-Werror"]
    rpath = f"-Wl,-rpath,{prefix}/lib:{PYTHON_LIBRARIES}"
    run([*compiler, f"{name}.c", "-o", name, *libraries, rpath], cwd=tmp_path)
    assert run([str(tmp_path / name)]) == output


def test_the_command_that_builds_a_python_host_works(prefix, tmp_path):
    programs = [text for kind, text in blocks("embedding-python.md") if kind == "c"]
    (tmp_path / "host.c").write_text(programs[0])
    path = f"{prefix}/lib/pkgconfig:{PYTHON_LIBRARIES}/pkgconfig"
    environment = dict(os.environ, PKG_CONFIG_PATH=path)
    for kind, command in blocks("embedding-python.md"):
        if kind != "sh":
            continue
        command = command.replace("python-3.11", f"python-{PYTHON_VERSION}")
        run(["sh", "-ec", command], cwd=tmp_path, env=environment)
    assert (tmp_path / "host").exists()


@pytest.fixture
def lua_environment(prefix):
    return dict(os.environ, LUA_CPATH=f"{prefix}/lib/lua/5.4/?.so;;")


@pytest.mark.parametrize("program, output", with_output("lua-scripts.md", "lua"))
def test_lua_programs_print_what_is_said(program, output, lua_environment, tmp_path):
    script = tmp_path / "script.lua"
    script.write_text(program)
    assert run(["lua5.4", str(script)], env=lua_environment) == output


def test_shell_commands_for_scripts_work(lua_environment, tmp_path):
    (tmp_path / "script.lua").write_text('assert(require("hakmem").installed())\n')
    commands = [text for kind, text in blocks("lua-scripts.md") if kind == "sh"]
    assert commands
    for command in commands:
        run(["sh", "-ec", command], cwd=tmp_path, env=lua_environment)


@pytest.fixture
def python_environment(tmp_path):
    """`python3` is the interpreter that the package is built for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(PYTHON)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return dict(os.environ, PATH=path, PYTHONPATH=str(ROOT / "build" / "python" / PYTHON_VERSION))


@pytest.mark.parametrize("program, output", with_output("python.md", "python"))
def test_python_programs_print_what_is_said(program, output, python_environment):
    assert run(["python3", "-c", program], env=python_environment) == output


def test_shell_commands_for_python_work(python_environment, tmp_path):
    commands = [text for kind, text in blocks("python.md") if kind == "sh"]
    assert commands
    for command in commands:
        run(["sh", "-ec", command], cwd=tmp_path, env=python_environment)


def test_every_statistic_is_documented(lua_environment):
    program = 'local h = require "hakmem"; h.install(); for k in pairs(h.stats()) do print(k) end'
    text = (DOCS / "lua-scripts.md").read_text()
    for key in run(["lua5.4", "-e", program], env=lua_environment).split():
        assert f"`{key}`" in text


def test_every_public_function_is_in_the_reference():
    header = (ROOT / "core" / "hakmem.h").read_text()
    text = (DOCS / "c-interface.md").read_text()
    functions = set(re.findall(r"\b(hak_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
    assert functions
    for name in functions:
        assert f"`{name}" in text, name


def test_every_function_for_python_hosts_is_in_the_guide():
    header = (ROOT / "bindings" / "python" / "hakmem_python.h").read_text()
    text = (DOCS / "embedding-python.md").read_text()
    functions = set(re.findall(r"\b(hak_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
    assert functions
    for name in functions:
        assert name in text, name
