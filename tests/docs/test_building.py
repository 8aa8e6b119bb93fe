"""What docs/building.md says of building parts and installing them. Compilers and other tools are
stand-ins that note what they are called with, so that a build takes a second."""

import os
import re
import shutil
import subprocess

import pytest
from documents import ROOT, functions_of

BUILD = ROOT / "build"

# Notes its arguments, makes the file after -o, and is asked for its archiver.
STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >>"$TOOL_LOG"
case " $* " in *" $TOOL_REFUSES "*) exit 1;; esac
case "$1" in
    -print-prog-name=ar) echo ar-of-cc; exit;;
    rcsD) : >"$2";;
    */interpreter.py) echo "3.11 .so /include"; exit;;
esac
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then : >"$2"; fi
    shift
done
"""
TOOLS = "cc", "my-cc", "ar-of-cc", "my-ar", "swig", "pkg-config", "python", "apt-get", "dpkg-query", "sudo"


class Tools:
    """A make with stand-ins, and what they were called with."""

    def __init__(self, folder):
        self.build, self.log, self.path = folder / "build", folder / "log", folder / "tools"
        self.path.mkdir()
        for name in TOOLS:
            (self.path / name).write_text(STAND_IN)
            (self.path / name).chmod(0o755)

    def make(self, *arguments, refuses="nothing"):
        """Runs make; the calls of the tools, by tool, each as a list of arguments."""
        self.log.write_text("")
        # What the make that runs the tests was given is not for this one.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        environment["PATH"] = f"{self.path}:{os.environ['PATH']}"
        environment.update(TOOL_LOG=str(self.log), TOOL_REFUSES=refuses)
        for name in "CC", "AR", "CFLAGS", "PYTHON", "B":
            environment.pop(name, None)
        done = subprocess.run(
            ["make", f"B={self.build}", f"PYTHON={self.path}/python", "CC=cc", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == 0, done.stderr
        self.output = done.stdout
        calls = {name: [] for name in TOOLS}
        for line in self.log.read_text().splitlines():
            tool, *rest = line.split(" ")
            calls[tool].append(rest)
        return calls

    def made(self):
        """The libraries, modules and programs in the build folder."""
        files = (path for path in self.build.rglob("*") if path.is_file())
        files = (path for path in files if path.suffix != ".o" and path.name != "built-with")
        return {str(path.relative_to(self.build)) for path in files}


@pytest.fixture
def tools(tmp_path):
    return Tools(tmp_path)


CORE = {
    "libhakmem.a", "libhakmem.so", "libhakmem-malloc.a", "libhakmem-preload.so", "hakmem",
    "hakmem-run/sitecustomize.py",
}


def results(calls):
    """What a compiler was called for: options and sources, without questions."""
    return [call for call in calls if "-o" in call and "-Werror" not in call]


# What each goal installs.
GOALS = {"all": [], "install": [], "demo": ["demo"], "test": ["test"], "bench": ["bench"]}


@pytest.mark.parametrize("goal", GOALS)
def test_only_what_sets_everything_up_installs_what_it_needs(tools, goal):
    tools.make("-n", goal)
    assert re.findall(r"^scripts/deps.sh (.+)", tools.output, re.MULTILINE) == GOALS[goal]
    assert ("scripts/vms.sh" in tools.output) == (goal in ("test", "bench"))


def test_plain_make_builds_all(tools):
    tools.make("-n")
    plain = tools.output
    tools.make("-n", "everything")
    assert plain == tools.output and "libhakmem_luajit.a" in plain


def test_the_core_needs_a_compiler_only(tools):
    calls = tools.make("core")
    assert tools.made() == CORE
    assert results(calls["cc"]) and calls["ar-of-cc"]
    assert {name for name, of in calls.items() if of} == {"cc", "ar-of-cc"}


@pytest.mark.parametrize("goal", ["clean", "help", "core", "lua5.4", "install-core"])
def test_python_is_not_asked_for_goals_without_it(tools, goal):
    where = [f"DESTDIR={tools.build}/to"] if goal.startswith("install") else []
    assert not tools.make(goal, *where)["python"]


def test_one_lua_needs_no_other(tools):
    calls = tools.make("lua5.3", f"LUAS={'5.1:lua5.1 5.3:lua5.3'}")
    assert {"libhakmem_lua5.3.a", "lua/5.3/hakmem.so"} <= tools.made()
    assert not any("5.1" in name for name in tools.made())
    assert {call[-1] for call in calls["pkg-config"]} == {"lua5.3"}
    assert len(calls["swig"]) == 1 and not calls["python"]


def test_a_lua_may_have_another_name(tools):
    calls = tools.make("lua-5.4", "LUAS=5.4:lua-5.4", "PKG_CONFIG=pkg-config")
    assert {"libhakmem_lua-5.4.a", "lua/5.4/hakmem.so"} <= tools.made()
    assert {call[-1] for call in calls["pkg-config"]} == {"lua-5.4"}


def test_one_python_needs_no_lua(tools):
    calls = tools.make("python")
    assert "libhakmem_python3.11.a" in tools.made()
    assert "python/3.11/hakmem/_hakmem.so" in tools.made()
    assert calls["python"] and not calls["pkg-config"]


def test_hosts_can_do_without_swig(tools):
    calls = tools.make("lua5.4", "python", "SWIG=")
    assert {"libhakmem_lua5.4.a", "libhakmem_python3.11.a"} <= tools.made()
    assert not calls["swig"] and not any(name.endswith(".so") for name in tools.made())
    assert not any("wrap.o" in word for call in calls["ar-of-cc"] for word in call)


def test_flags_and_tools_are_the_callers(tools):
    calls = tools.make(
        "core", "lua5.4", "CC=my-cc", "AR=my-ar", "CPPFLAGS=-DTHEIRS", "CFLAGS=-march=theirs",
        "LDFLAGS=-Wl,--theirs",
    )
    assert not calls["cc"] and not calls["ar-of-cc"] and len(calls["my-ar"]) == 3
    for call in results(calls["my-cc"]):
        if "-r" in call:
            continue  # objects of those that have them
        assert "-DTHEIRS" in call and "-march=theirs" in call, call
        assert ("-Wl,--theirs" in call) == ("-c" not in call), call


def test_changed_flags_compile_all_anew(tools):
    first = results(tools.make("core")["cc"])
    assert not results(tools.make("core")["cc"])
    changed = results(tools.make("core", "CFLAGS=-DX='a b'")["cc"])
    assert len(changed) == len(first) > 100
    to = tools.build / "to"
    assert not results(tools.make("install-core", f"DESTDIR={to}")["cc"])  # copies what there is
    assert (to / "usr/local/lib/libhakmem.a").exists()


LTO = "-flto=auto -ffat-lto-objects"


@pytest.mark.parametrize(
    "arguments, refuses, has", [([], "nothing", True), (["FAT_LTO=no"], "nothing", False), ([], LTO, False)]
)
def test_the_static_library_may_be_without_lto(tools, arguments, refuses, has):
    calls = tools.make("core", *arguments, refuses=refuses)
    static = [" ".join(call) for call in results(calls["cc"]) if "/static/" in " ".join(call)]
    assert len(static) > 50
    assert {LTO in call for call in static} == {has}


def test_a_module_is_made_without_flags_that_the_compiler_has_not(tools):
    assert "-flto-partition=one" not in str(
        results(tools.make("lua5.4", refuses="-flto -flto-partition=one")["cc"])
    )
    (tools.build / "lua/5.4/hakmem.so").unlink()
    assert "-flto-partition=one" in str(results(tools.make("lua5.4")["cc"]))


def test_the_shared_library_exports_the_interface_only_under_its_number():
    number = re.search(r"define HAK_ABI (\d+)", (ROOT / "core/hakmem.h").read_text())[1]
    command = ["nm", "-D", "--defined-only", "--with-symbol-versions", BUILD / "libhakmem.so"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = {line.split()[2] for line in told.splitlines()} - {f"HAKMEM_{number}"}
    assert names == {f"{name}@@HAKMEM_{number}" for name in functions_of("core/hakmem.h")}


PROGRAM = """
#include "hakmem.h"
#include <string.h>
int main(void)
{
    hak_heap *heap = hak_heap_new(NULL);
    char *text = hak_heap_alloc(heap, 100), *large = hak_heap_zalloc(heap, 1, 5000000);
    if (!text || !large || large[4999999]) return 1;
    strcpy(text, "one file");
    text = hak_heap_realloc(heap, text, 100000);
    if (!text || strcmp(text, "one file") != 0 || !hak_heap_owns(heap, large)) return 2;
    hak_heap_destroy(heap);
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_core_is_one_file_without_a_warning(tmp_path, compiler):
    subprocess.run([ROOT / "scripts/amalgamate.py", tmp_path], check=True)
    (tmp_path / "main.c").write_text(PROGRAM)
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
    command = [compiler, *flags, "hakmem.c", "main.c", "-o", "main", "-pthread"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "main"]).returncode == 0
    told = subprocess.run(["nm", "-g", "--defined-only", "main"], cwd=tmp_path, capture_output=True, text=True)
    names = {line.split()[2] for line in told.stdout.splitlines()}
    theirs = {"main", "data_start"}
    assert not {name for name in names if not re.match("hak_|_|environ@", name)} - theirs


# ------------------------------------------------------------------ installing


def test_folders_are_the_callers(tools):
    to = tools.build / "to"
    calls = tools.make(
        "install-core", "install-lua5.4", "install-python", f"DESTDIR={to}", "PREFIX=/usr",
        "LIBDIR=/usr/lib/there", "INCLUDEDIR=/opt/include", "BINDIR=/opt/bin",
    )
    files = {str(path.relative_to(to)) for path in to.rglob("*") if not path.is_dir()}
    abi = re.search(r"define HAK_ABI (\d+)", (ROOT / "core/hakmem.h").read_text())[1]
    assert files == {
        "opt/bin/hakmem",
        "opt/include/hakmem.h",
        "opt/include/hakmem_lua.h",
        "opt/include/hakmem_python.h",
        "usr/share/man/man1/hakmem.1",
        "usr/share/man/man3/hakmem.3",
        *(f"usr/lib/there/{name}" for name in (
            "libhakmem.a", "libhakmem_static.a", "libhakmem.so", f"libhakmem.so.{abi}",
            "libhakmem-malloc.a", "libhakmem-preload.so", "hakmem-run/sitecustomize.py",
            "libhakmem_lua5.4.a", "libhakmem_python3.11.a", "lua/5.4/hakmem.so",
            "pkgconfig/hakmem.pc", "pkgconfig/hakmem-lua5.4.pc", "pkgconfig/hakmem-python-3.11.pc",
            "cmake/hakmem/hakmemConfig.cmake", "cmake/hakmem/hakmemConfigVersion.cmake",
        )),
    }
    assert f"-Wl,-soname,libhakmem.so.{abi}" in str(calls["cc"])
    environment = dict(os.environ, PKG_CONFIG_LIBDIR=f"{to}/usr/lib/there/pkgconfig")
    for name in "libdir", "includedir":
        told = subprocess.run(
            ["pkg-config", f"--variable={name}", "hakmem"], env=environment, capture_output=True, text=True
        ).stdout
        assert told.strip() == {"libdir": "/usr/lib/there", "includedir": "/opt/include"}[name]
    texts = [path.read_text() for path in to.rglob("*.pc")]
    assert "libdir=${prefix}/lib/there" in texts[0]
    assert not any("-l:" in text or "@" in text for text in texts)


@pytest.mark.parametrize(
    "where, told", [(["PREFIX=/usr/local"], True), (["PREFIX=/opt/hakmem"], False), (["DESTDIR=/to"], False)]
)
def test_an_installation_into_a_folder_of_the_loader_reminds_of_ldconfig(tools, where, told):
    tools.make("-n", "install-core", *where)
    assert ("now run ldconfig as root" in tools.output) == told


def test_what_is_installed_can_be_removed(tools):
    to = tools.build / "to"
    tools.make("install", f"DESTDIR={to}")
    (to / "usr/local/lib/theirs.a").touch()
    assert (to / "usr/local/lib/lua/5.4/hakmem.so").exists()
    tools.make("uninstall", f"DESTDIR={to}")
    assert [path.name for path in to.rglob("*") if not path.is_dir()] == ["theirs.a"]


def test_luajits_module_is_installed_where_that_of_lua_5_1_is_not(tools):
    for luas, has in ("5.1:lua5.1 jit:luajit", False), ("jit:luajit", True):
        to = tools.build / f"to-{has}"
        tools.make("install-luajit", f"LUAS={luas}", f"DESTDIR={to}", "PREFIX=/usr")
        assert (to / "usr/lib/lua/5.1/hakmem.so").exists() == has


# ------------------------------------------------------------------ with real compilers


def test_clang_builds_the_core(tmp_path):
    command = ["make", "-s", "-j2", f"B={tmp_path}", "CC=clang", "AR=llvm-ar", "OPT=-O0", "core"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    told = subprocess.run([tmp_path / "hakmem", "version"], capture_output=True, text=True).stdout
    assert told.endswith("(standard)\n")


@pytest.mark.parametrize("shift", [16, 14])
def test_an_adapter_for_another_unit_does_not_link(tmp_path, shift):
    """libhakmem.a has units of 64 KiB."""
    (tmp_path / "host.c").write_text(
        '#include "hakmem_lua.h"\n'
        "int main(void) { return hak_lua_alloc(hak_heap_new(NULL), NULL, 0, 0) != NULL; }\n"
    )
    flags = subprocess.run(["pkg-config", "--cflags", "lua5.4"], capture_output=True, text=True).stdout
    command = ["cc", "-std=gnu11", f"-DHAK_UNIT_SHIFT={shift}", "-I", ROOT / "core", *flags.split()]
    command += ["-I", ROOT / "bindings/lua", "host.c", ROOT / "bindings/lua/lua_alloc.c", "-o", "host"]
    command += [BUILD / "libhakmem_lua5.4.a", BUILD / "libhakmem.a", "-llua5.4", "-lm", "-ldl", "-pthread"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if shift == 16:
        assert done.returncode == 0, done.stderr
        subprocess.run([tmp_path / "host"], check=True)
    else:
        assert done.returncode != 0 and "`hak__layout_14'" in done.stderr


def test_headers_of_others_do_not_take_the_place_of_the_cores(tmp_path):
    for header in ROOT.glob("core/*/*.h"):
        (tmp_path / header.name).write_text(f'#error "{header.name} of others"\n')
    assert len(list(tmp_path.iterdir())) > 30
    shutil.copy(ROOT / "core/hakmem.h", tmp_path)
    command = ["cc", "-std=gnu11", "-fsyntax-only", "-I", tmp_path, "-I", ROOT / "core"]
    done = subprocess.run([*command, *ROOT.glob("core/*/*.c")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
