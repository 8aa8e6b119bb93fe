"""What docs/building.md says of CMake: hakmem installed is a package, and its sources are a part of a
host's tree. Hosts in C and in C++, of either compiler, with the libraries static and shared."""

import json
import os
import shutil
import subprocess

import pytest

from documents import LUAS, ROOT, run, with_output

pytestmark = pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")

HOST = """
#include "hakmem.h"
#include <stdio.h>
int main(void)
{
    hak_heap *heap = hak_heap_new(NULL);
    printf("%s %d\\n", hak_version(), hak_heap_alloc(heap, 100) != NULL);
    hak_heap_destroy(heap);
    return 0;
}
"""
LUA_HOST = """
#ifdef __cplusplus
#include <lua.hpp>
#else
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif
#include "hakmem_lua.h"
#include <stdio.h>
int main(void)
{
    lua_State *L = hak_lua_newstate(NULL);
    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_hakmem);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "version");
    printf("%s %d\\n", lua_tostring(L, -1), hak_lua_heap(L) != NULL);
    hak_lua_close(L);
    return 0;
}
"""
SUFFIX = {"C": "c", "CXX": "cpp"}
COMPILERS = {"gcc": ["gcc", "g++"], "clang": ["clang", "clang++"]}
PRINTED = run([str(ROOT / "build/hakmem"), "version"]).split()[0] + " 1\n"


class Project:
    """A host in one language, with one compiler."""

    def __init__(self, folder, language, compiler):
        self.folder, self.language = folder, language
        self.compilers = COMPILERS[compiler]
        self.name = f"host.{SUFFIX[language]}"

    def configure(self, program, *lines, prefix=None, status=0, options=(), environment=()):
        """Writes CMakeLists.txt, and lets CMake read it; what that said."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / self.name).write_text(program)
        begin = "cmake_minimum_required(VERSION 3.16)", f"project(host LANGUAGES {self.language})"
        (self.folder / "CMakeLists.txt").write_text("\n".join([*begin, *lines]) + "\n")
        cc, cxx = self.compilers
        command = ["cmake", "-S", self.folder, "-B", self.folder / "build"]
        command += ["-DCMAKE_BUILD_TYPE=Debug"]  # which compiles in a third of the time
        command += [*options, f"-DCMAKE_C_COMPILER={cc}"]
        command += [f"-DCMAKE_CXX_COMPILER={cxx}"] if self.language == "CXX" else []
        command += [f"-DCMAKE_PREFIX_PATH={prefix}"] if prefix else []
        done = subprocess.run(
            command, env={**os.environ, **dict(environment)}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + " ".join(done.stderr.split())

    def runs(self, name="host", printed=PRINTED):
        """Builds it, and starts the program."""
        run(["cmake", "--build", self.folder / "build", "-j2"])
        assert run([self.folder / "build" / name]) == printed


@pytest.fixture(params=["C", "CXX"])
def language(request):
    return request.param


@pytest.fixture(params=COMPILERS)
def project(tmp_path, language, request):
    one = Project(tmp_path / "host", language, request.param)
    if not all(map(shutil.which, one.compilers)):
        pytest.skip(f"{request.param} is not installed")
    return one


@pytest.fixture
def host(tmp_path):
    return Project(tmp_path / "host", "C", "gcc")


@pytest.fixture(scope="session")
def moved(tmp_path_factory):
    """An installation with folders of its own, elsewhere than it was made for."""
    folder = tmp_path_factory.mktemp("moved")
    folders = ["PREFIX=/opt/here", "LIBDIR=/opt/here/lib/some-linux", "INCLUDEDIR=/opt/here/include/hakmem"]
    run(["make", "-C", str(ROOT), "install-core", "install-lua5.4", f"DESTDIR={folder}", *folders])
    (folder / "opt/here").rename(folder / "there")
    return folder / "there"


# ------------------------------------------------------------------ installed


def linked(*targets, package="find_package(hakmem 0.1 CONFIG REQUIRED)", name="host"):
    return package, f"add_executable(host {name})", f"target_link_libraries(host PRIVATE {' '.join(targets)})"


@pytest.mark.parametrize("target", ["hakmem::hakmem", "hakmem::static"])
def test_a_host_finds_the_package(project, prefix, target):
    project.configure(HOST, *linked(target, name=project.name), prefix=prefix)
    project.runs()
    needed = run(["readelf", "-d", project.folder / "build/host"])
    assert ("libhakmem.so.0" in needed) == (target == "hakmem::hakmem")


def test_a_host_of_lua_finds_the_adapter(project, prefix):
    package = "find_package(hakmem 0.1 CONFIG REQUIRED COMPONENTS lua5.4)"
    lines = linked("hakmem::lua5.4", package=package, name=project.name)
    project.configure(LUA_HOST, *lines, prefix=prefix)
    project.runs()


@pytest.mark.parametrize("lua", LUAS)
def test_each_adapter_has_a_target(host, prefix, lua):
    host.configure(LUA_HOST, *linked(f"hakmem::{lua}", name=host.name), prefix=prefix)
    host.runs()


def test_pkg_config_has_a_target_in_cmake_too(project, prefix):
    package = (
        "find_package(PkgConfig REQUIRED)\n"
        "pkg_check_modules(hakmem REQUIRED IMPORTED_TARGET hakmem-lua5.4)"
    )
    environment = {"PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"}
    lines = linked("PkgConfig::hakmem", package=package, name=project.name)
    project.configure(LUA_HOST, *lines, environment=environment)
    project.runs()


@pytest.mark.parametrize("program, target", [(HOST, "hakmem::hakmem"), (LUA_HOST, "hakmem::lua5.4")])
def test_an_installation_may_be_moved(host, moved, program, target):
    options = [f"-Dhakmem_DIR={moved}/lib/some-linux/cmake/hakmem"]
    host.configure(program, *linked(target, name=host.name), options=options)
    host.runs()


@pytest.mark.parametrize(
    "version, accepted",
    [("0.1", True), ("0.1.0", True), ("0.0.9", True), ("0.1...<1", True), ("0.1.0 EXACT", True),
     ("0.99", False), ("1.0", False), ("0.2...0.3", False), ("0.0.9 EXACT", False), ("", True)],
)  # fmt: skip
def test_the_version_is_that_of_the_library(host, prefix, version, accepted):
    lines = f"find_package(hakmem {version} CONFIG REQUIRED)", f"add_executable(host {host.name})"
    told = host.configure(HOST, *lines, prefix=prefix, status=0 if accepted else 1)
    assert accepted or "hakmemConfig.cmake, version: 0.1.0" in told


def test_an_adapter_that_is_not_there_is_told(host, moved):
    package = "find_package(hakmem CONFIG REQUIRED COMPONENTS lua5.1)"
    options = [f"-Dhakmem_DIR={moved}/lib/some-linux/cmake/hakmem"]
    told = host.configure(HOST, *linked("hakmem::lua5.1", package=package, name=host.name), status=1, options=options)
    assert f"hakmem-lua5.1 is not installed in {moved}/lib/some-linux" in told


# ------------------------------------------------------------------ in a host's tree


def inside(*targets, name, lines=()):
    subdirectory = f'add_subdirectory("{ROOT}" hakmem)', *lines
    return linked(*targets, package="\n".join(subdirectory), name=name)


@pytest.mark.parametrize("shared", ["OFF", "ON"])
def test_a_host_has_it_in_its_tree(project, shared):
    options = [f"-DBUILD_SHARED_LIBS={shared}"]
    project.configure(HOST, *inside("hakmem::hakmem", name=project.name), options=options)
    project.runs()
    needed = run(["readelf", "-d", project.folder / "build/host"])
    assert ("libhakmem.so.0" in needed) == (shared == "ON")
    if shared == "ON":
        names = run(["nm", "-D", "--defined-only", project.folder / "build/hakmem/libhakmem.so"])
        assert "hak_heap_new@@HAKMEM_0" in names and "hak__" not in names


LUA_FOLDER = run(["pkg-config", "--variable=includedir", "lua5.4"]).strip() + "/lua5.4"
OWN_LUA = {
    "a folder": (f"hakmem_add_lua(hakmem_lua {LUA_FOLDER})", "lua5.4"),
    "a target": (
        f"add_library(lua INTERFACE)\ntarget_include_directories(lua INTERFACE {LUA_FOLDER})\n"
        "target_link_libraries(lua INTERFACE lua5.4)\nhakmem_add_lua(hakmem_lua lua)",
        "",
    ),
}


@pytest.mark.parametrize("own, shared", [("a folder", "OFF"), ("a target", "ON")])
def test_a_host_gives_it_its_own_lua(tmp_path, language, own, shared):
    project = Project(tmp_path / "host", language, "gcc")
    lua, library = OWN_LUA[own]
    lines = inside("hakmem_lua", library, name=project.name, lines=[lua])
    project.configure(LUA_HOST, *lines, options=[f"-DBUILD_SHARED_LIBS={shared}"])
    project.runs()


@pytest.mark.parametrize("lua, told", [("own/lua", ""), ("nowhere", "nowhere is neither a target nor a folder")])
def test_a_folder_is_the_hosts(host, lua, told):
    (host.folder / "own/lua").mkdir(parents=True)
    lines = inside("hakmem_lua", name=host.name, lines=[f"hakmem_add_lua(hakmem_lua {lua})"])
    assert told in host.configure(LUA_HOST, *lines, status=1 if told else 0)
    if not told:
        flags = host.folder / "build/hakmem_lua/CMakeFiles/hakmem_lua.dir/flags.make"
        assert f"-I{host.folder}/own/lua" in flags.read_text()


def test_the_cores_folders_are_not_in_the_way_of_a_hosts(host):
    headers = host.folder / "os" / "os.h"
    headers.parent.mkdir(parents=True)
    headers.write_text("enum { OWN = 1 };\n")
    program = HOST.replace("#include <stdio.h>", '#include "os/os.h"\n#include <stdio.h>').replace(
        "heap, 100) != NULL", "heap, 100) != NULL && OWN"
    )
    lines = inside("hakmem::hakmem", name=host.name)
    host.configure(program, *lines, "target_include_directories(host PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})")
    host.runs()


@pytest.mark.parametrize("kind, optimized", [("", True), ("Debug", False), ("Release", True)])
def test_it_is_optimized_unless_the_host_says_otherwise(host, kind, optimized):
    options = [f"-DCMAKE_BUILD_TYPE={kind}", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    host.configure(HOST, *inside("hakmem::hakmem", name=host.name), options=options)
    commands = json.loads((host.folder / "build/compile_commands.json").read_text())
    ours = [one["command"] for one in commands if "/core/" in one["file"]]
    assert len(ours) == len(list(ROOT.glob("core/*/*.c")))
    assert all((" -O" in one) == optimized and "-std=gnu11" in one for one in ours)


def test_it_is_refused_where_it_cannot_work(host):
    options = ["-DCMAKE_SYSTEM_NAME=FreeBSD", "-DCMAKE_C_COMPILER_WORKS=1"]
    told = host.configure(HOST, *inside("hakmem::hakmem", name=host.name), status=1, options=options)
    assert "hakmem needs Linux" in told


def test_the_documents_program_is_built_as_they_say(host, prefix):
    program, output = with_output("embedding-lua.md", "c")[0]
    host.configure(program, *linked("hakmem::lua5.4", name=host.name), prefix=prefix)
    host.runs(printed=output)
