"""What the documents say is true: their programs compile against an installed hakmem and print what
the documents say they print."""

import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
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


LUAS = {"lua5.1": "5.1", "lua5.2": "5.2", "lua5.3": "5.3", "lua5.4": "5.4", "luajit": "5.1"}


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


@pytest.fixture
def lua_environment(prefix):
    return dict(os.environ, LUA_CPATH=f"{prefix}/lib/lua/5.4/?.so;;")


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


@pytest.fixture
def service(tmp_path):
    """The environment of a service, prepared and with the variable set."""
    run([PYTHON, "-m", "venv", "--without-pip", "--system-site-packages", str(tmp_path / "venv")])
    variables = {
        "PATH": f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "build" / "python" / PYTHON_VERSION),
    }
    run(["python3", "-m", "hakmem.startup", "enable"], env=dict(os.environ, **variables))
    return dict(os.environ, **variables, HAKMEM_PYTHON="1", HAKMEM_PROFILE="balanced")


# What is done with a program of the guide that only provides something.
USES = {
    "Metrics": """
from urllib.request import urlopen
answer = urlopen(f"http://127.0.0.1:{server.server_port}/metrics")
assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
text = answer.read().decode()
assert "hakmem_live_bytes " in text and text.endswith("# EOF\\n")
server.shutdown()
""",
    "prometheus": """
import prometheus_client
assert 'hakmem_footprint_bytes{worker="0"} ' in prometheus_client.generate_latest().decode()
""",
}


@pytest.mark.parametrize(
    "program, output",
    [
        (program, output if next_kind == "text" else "")
        for (kind, program), (next_kind, output) in zip(
            blocks("python-services.md"), blocks("python-services.md")[1:] + [("", "")]
        )
        if kind == "python"
    ],
)
def test_programs_for_services_work(program, output, service):
    for name, use in USES.items():
        if name in program:
            program = program.replace("9123", "0") + use
    if "prometheus_client" in program:
        found = subprocess.run(["python3", "-c", "import prometheus_client"], env=service)
        if found.returncode:
            pytest.skip(f"{PYTHON} has no prometheus_client")
    assert run(["python3", "-c", program], env=service) == output
    # They run where the switch is off too; without a limit, nothing should be that large.
    off = dict(service, HAKMEM_PYTHON="0")
    run(["python3", "-c", program.replace("10_000_000", "10_000")], env=off)


def test_shell_commands_for_services_work(service, tmp_path):
    (tmp_path / "script.py").write_text("rows = [str(i) for i in range(1000)]\n")
    environment = {name: value for name, value in service.items() if "HAKMEM" not in name}
    run(["python3", "-m", "hakmem.startup", "disable"], env=environment)
    found = blocks("python-services.md")
    for (kind, command), (next_kind, output) in zip(found, found[1:]):
        if kind == "sh":
            printed = run(["sh", "-ec", command], cwd=tmp_path, env=environment)
            assert next_kind != "text" or printed == output


CHILDREN = """
import multiprocessing, sys
def installed():
    return "hakmem" in sys.modules and bool(sys.modules["hakmem"].installed())
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as workers:
            print(method, workers.apply(installed))
"""


def test_children_have_hakmem_where_the_guide_says_so(service, tmp_path):
    (tmp_path / "script.py").write_text(CHILDREN)
    by_variable = run(["python3", "script.py"], env=service, cwd=tmp_path)
    assert by_variable == "fork True\nspawn True\nforkserver True\n"
    del service["HAKMEM_PYTHON"]
    by_command = run(["python3", "-m", "hakmem", "-q", "script.py"], env=service, cwd=tmp_path)
    assert by_command == "fork True\nspawn False\nforkserver False\n"


# Of the messages that the guide explains, those that are CPython's.
CPYTHONS = ("No module named", "cannot import name", "Permission denied", "MemoryError")


def test_messages_in_the_guide_are_those_of_the_code():
    code = "".join(
        path.read_text()
        for folder in ("core", "bindings")
        for path in sorted((ROOT / folder).rglob("*.[chpi]*"))
        if path.suffix in (".c", ".h", ".py", ".i")
    )
    code = re.sub(r'"\s*\n\s*f?"', "", code)  # literals in pieces
    table = (DOCS / "python-services.md").read_text().partition("## Messages")[2]
    messages = [message for row in re.findall(r"^\|(.*?)\|", table, re.M)
                for message in re.findall(r"`(.*?)`", row)]
    assert len(messages) > 10
    for message in messages:
        if not message.startswith(CPYTHONS):
            for part in message.split("…"):
                assert part.strip(" :,;") in code, message


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


HEAP_AT_WORK = """
local h = require "hakmem"
h.install { limit = 2^30, name = "a \\"name\\"" }
kept = {}
for i = 1, 3000 do kept[i] = ("x"):rep(i) end
"""


def test_every_statistic_is_documented(lua_environment):
    program = HEAP_AT_WORK + """
for _, stats in ipairs { h.stats(), h.process_stats() } do
  for key in pairs(stats) do print(key) end
end"""
    text = (DOCS / "statistics.md").read_text()
    keys = run(["lua5.4", "-e", program], env=lua_environment).split()
    assert len(keys) > 30
    for key in keys:
        assert f"`{key}`" in text, key


@pytest.mark.parametrize("call", ["stats_json", "process_stats_json"])
def test_the_schema_describes_the_json(call, lua_environment):
    schema = json.loads((DOCS / "stats.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    text = run(["lua5.4", "-e", f"{HEAP_AT_WORK} print(h.{call}())"], env=lua_environment)
    stats = json.loads(text)
    validator.validate(stats)
    for key in stats:  # it is no schema that takes everything
        assert not validator.is_valid({**stats, key: [None]})
        assert not validator.is_valid({k: v for k, v in stats.items() if k != key})


def test_the_schema_describes_pythons_json(python_environment):
    schema = json.loads((DOCS / "stats.schema.json").read_text())
    for install in "", "; hakmem.install()":
        program = f"import hakmem, json{install}; print(hakmem.stats_json()); print(json.dumps("
        program += "hakmem.stats())); print(json.dumps(hakmem.process_stats()))"
        texts = run(["python3", "-c", program], env=python_environment).splitlines()
        stats, same, process = map(json.loads, texts)
        for each in stats, same, process:
            jsonschema.Draft202012Validator(schema).validate(each)
        assert stats.keys() == same.keys() and "heaps" in process


def test_the_schema_describes_pythons_observations(python_environment):
    schema = json.loads((DOCS / "observations.schema.json").read_text())
    program = """
import hakmem, json
hakmem.install()
hakmem.observe()
kept = [[i] for i in range(1000)]
print(json.dumps(hakmem.observations()))
print(hakmem.observations_json())"""
    texts = run(["python3", "-c", program], env=python_environment).splitlines()
    for seen in map(json.loads, texts):
        jsonschema.Draft202012Validator(schema).validate(seen)
        assert seen["sizes"] and seen["ages"] and seen["classes"]


OBSERVED = HEAP_AT_WORK + """
h.observe(true)
for i = 1, 3000 do kept[i] = ("y"):rep(i) .. i end
pcall(string.rep, "x", 1500000000)
kept = {}
collectgarbage()
"""


def test_every_observation_is_documented(lua_environment):
    program = OBSERVED + """
local o = h.observations()
for key in pairs(o) do print(key) end
for key in pairs(o.classes[1]) do print(key) end
for key in pairs(o.sizes[1]) do print(key) end"""
    text = (DOCS / "observing.md").read_text()
    keys = set(run(["lua5.4", "-e", program], env=lua_environment).split()) - {"count"}
    assert len(keys) > 25
    for key in keys:
        assert f"`{key}`" in text, key


def test_the_schema_describes_observations(lua_environment):
    schema = json.loads((DOCS / "observations.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    text = run(["lua5.4", "-e", f"{OBSERVED} print(h.observations_json())"], env=lua_environment)
    seen = json.loads(text)
    validator.validate(seen)
    assert seen["name"] == 'a "name"' and seen["refusals"] > 0
    assert seen["sizes"] and seen["lifetimes"] and seen["ages"] and seen["classes"]
    for key in seen:  # it is no schema that takes everything
        assert not validator.is_valid({**seen, key: [None]})
        assert not validator.is_valid({k: v for k, v in seen.items() if k != key})
    assert not validator.is_valid({**seen, "classes": [{**seen["classes"][0], "more": 1}]})


def test_shell_commands_for_observing_work():
    commands = [text for kind, text in blocks("observing.md") if kind == "sh"]
    assert commands
    for command in commands:
        run(["sh", "-ec", command], cwd=ROOT)


def test_programs_that_observe_print_what_is_said(lua_environment, tmp_path):
    program, output = with_output("observing.md", "lua")[0]
    script = tmp_path / "script.lua"
    script.write_text(program)
    assert run(["lua5.4", str(script)], env=lua_environment) == output


def test_a_trace_looks_as_the_guide_says(tmp_path):
    program = """
#include <hakmem.h>
int main(int argc, char **argv)
{
    static void *blocks[3000];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    for (int i = 0; i < 3000; i++) blocks[i] = hak_heap_alloc(heap, 56);
    hak_heap_free(heap, blocks[2999]);
    if (!hak_heap_observe(heap, false) || !hak_heap_observe(heap, true)) return 1;
    void *block = hak_heap_realloc(heap, hak_heap_alloc(heap, 56), 100);
    hak_heap_free(heap, block);
    return argc != 2 || !hak_heap_trace(heap, argv[1]);
}
"""
    (tmp_path / "trace.c").write_text(program)
    library = ROOT / "build" / "observe" / "libhakmem.a"
    run(["make", "-s", "-C", str(ROOT), "B=build/observe", "CFLAGS=-DHAK_OBSERVE", "libs"])
    compiler = [os.environ.get("CC", "cc"), "-Wall", "-I", str(ROOT / "core")]
    run([*compiler, "trace.c", str(library), "-o", "trace", "-pthread"], cwd=tmp_path)
    run(["./trace", "trace.csv"], cwd=tmp_path)
    shown = [text for kind, text in blocks("observing.md") if text.startswith("operation,")]
    assert (tmp_path / "trace.csv").read_text() == shown[0]


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
