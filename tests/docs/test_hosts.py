"""The programs of hosts in the documents compile against an installed hakmem, and print what the
documents say."""

import os
import re
import shutil

import pytest

from documents import (
    DOCS,
    LUAS,
    PACKAGES,
    PYTHON_LIBRARIES,
    PYTHON_VERSION,
    ROOT,
    blocks,
    run,
    with_output,
)


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


@pytest.mark.parametrize("lua", [lua for lua in LUAS if lua != "lua5.4"])
@pytest.mark.parametrize(
    "program, output", with_output("embedding-lua.md", "c"),
    ids=lambda value: re.match(r"/\* (\w+\.c)", value)[1] if value.startswith("/*") else "",
)
def test_programs_for_lua_hosts_do_so_in_every_version(lua, program, output, prefix, tmp_path):
    (tmp_path / "host.c").write_text(program)
    environment = dict(os.environ, PKG_CONFIG_PATH=f"{prefix}/lib/pkgconfig")
    command = ["pkg-config", "--cflags", "--libs", f"hakmem-{lua}"]
    libraries = run(command, env=environment).split()
    compiler = [os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-Werror"]
    run([*compiler, "host.c", "-o", "host", *libraries], cwd=tmp_path)
    assert run([str(tmp_path / "host")]) == output


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


# ------------------------------------------------------------------ C++

# Examples set some fields of options, the others are zero.
CXX_FLAGS = ["-std=c++17", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror"]
EXAMPLES = [
    pytest.param(document.name, program, id=f"{document.stem}-{number}")
    for document in sorted(DOCS.glob("*.md"))
    for number, program in enumerate(text for kind, text in blocks(document.name) if kind == "c")
]


@pytest.fixture(params=["g++", "clang++"])
def cxx(request):
    """A C++ compiler."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return request.param


def flags_of(prefix, package, kind="--cflags"):
    path = f"{prefix}/lib/pkgconfig:{PYTHON_LIBRARIES}/pkgconfig"
    environment = dict(os.environ, PKG_CONFIG_PATH=path)
    return run(["pkg-config", kind, package], env=environment).split()


@pytest.mark.parametrize("document, program", EXAMPLES)
def test_every_example_is_c_plus_plus_too(document, program, cxx, prefix):
    command = [cxx, *CXX_FLAGS, "-fsyntax-only", "-x", "c++", "-", *flags_of(prefix, PACKAGES[document])]
    run(command, input=program)


@pytest.mark.parametrize("lua", LUAS)
@pytest.mark.parametrize("first", ["lua.hpp", "hakmem_lua.h"])
def test_a_host_in_c_plus_plus_includes_luas_headers_by_lua_hpp(lua, first, cxx, prefix, tmp_path):
    program, output = with_output("embedding-lua.md", "c")[0]
    theirs = "#include <lauxlib.h>\n#include <lua.h>\n#include <lualib.h>\n"
    ours = '#include "hakmem_lua.h"\n'
    assert theirs in program and ours in program
    program = program.replace(theirs, "").replace(ours, "")
    headers = ["#include <lua.hpp>\n", ours]
    headers = headers if first == "lua.hpp" else headers[::-1]
    (tmp_path / "host.cpp").write_text("".join(headers) + program)
    package = f"hakmem-{lua}"
    command = [cxx, *CXX_FLAGS, *flags_of(prefix, package), "host.cpp", "-o", "host"]
    run([*command, *flags_of(prefix, package, "--libs")], cwd=tmp_path)
    assert run([str(tmp_path / "host")]) == output
