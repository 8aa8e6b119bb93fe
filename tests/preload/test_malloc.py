"""What replaces malloc keeps malloc's promises: preloaded, linked, and where it hands over to libc."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("HAK_BUILD", ROOT / "build"))
LIBRARY = BUILD / "libhakmem-preload.so"
COMMAND = BUILD / "hakmem"
CC = os.environ.get("CC", "cc")


def clean(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HAKMEM_", "LD_"))}
    return {**kept, **more}


def run(command, **variables):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, env=clean(**variables)
    )


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")

    def compile_one(source, *more):
        made = folder / (Path(source).stem + str(abs(hash(more))))
        if not made.exists():
            flags = ["-g", "-O1", "-fno-builtin", "-w", "-pthread"]
            subprocess.run([CC, *flags, str(HERE / source), *map(str, more), "-o", str(made)], check=True)
        return made

    return compile_one


@pytest.mark.parametrize("profile", ["speed", "balanced", "lean"])
def test_promises_are_kept_preloaded(compiled, profile):
    done = run([compiled("contracts.c")], LD_PRELOAD=str(LIBRARY), HAKMEM_PROFILE=profile)
    assert (done.returncode, done.stderr) == (0, "")


def test_promises_are_kept_linked(compiled):
    program = compiled("contracts.c", BUILD / "libhakmem-malloc.a")
    done = run([program])
    assert (done.returncode, done.stderr) == (0, "")
    names = subprocess.run(["nm", program], capture_output=True, text=True).stdout
    assert re.search(r" T malloc$", names, re.MULTILINE)


def test_promises_are_kept_in_a_static_program(compiled):
    done = run([compiled("contracts.c", BUILD / "libhakmem-malloc.a", "-static")])
    assert (done.returncode, done.stderr) == (0, "")


def test_libc_serves_all_if_told_so(compiled):
    program = compiled("contracts.c")
    forced = run([COMMAND, "run", "--stats", program], HAKMEM_FORCE_LIBC_ALLOC="1")
    assert forced.returncode == 0, forced.stderr
    told = json.loads(forced.stderr)
    assert told["threads"]["heaps"] == 0 and told["process"]["heaps"] == 0
    served = json.loads(run([COMMAND, "run", "--stats", program]).stderr)
    assert served["threads"]["threads"] == 1 and served["threads"]["heaps"] == 2


MISTAKES = {
    "nobodys": "free 0x0000000001234560: not a block of malloc's",
    "stack": "free 0x[0-9a-f]+: not a block of malloc's",
    "inside": "free 0x[0-9a-f]+: no block begins there, or it is free already",
    "twice": "free 0x[0-9a-f]+: no block begins there, or it is free already",
    "large-twice": "free 0x[0-9a-f]+: not a block of malloc's",
    "resize": "realloc 0x0000000001234560: not a block of malloc's",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_end_the_program_with_a_line(compiled, mistake):
    program = compiled("wrong.c", "-no-pie")
    done = run([COMMAND, "run", program, mistake])
    assert done.returncode == -6
    line = f"hakmem: {MISTAKES[mistake]}, called from 0x([0-9a-f]+)\n"
    said = re.fullmatch(line, done.stderr)
    assert said, done.stderr
    symbols = subprocess.run(["nm", "-S", program], capture_output=True, text=True, check=True).stdout
    start, size = re.search("^([0-9a-f]+) ([0-9a-f]+) T main$", symbols, re.MULTILINE).groups()
    assert 0 < int(said[1], 16) - int(start, 16) <= int(size, 16)


def test_blocks_of_libc_go_back_to_it(compiled):
    done = run([COMMAND, "run", compiled("wrong.c"), "libcs"])
    assert (done.returncode, done.stderr) == (0, "")


# Of C++: one object and an array, each with a size, with an alignment, and without exceptions.
OPERATORS = {
    *(f"_Zn{of}m{how}{quiet}" for of in "wa" for how in ("", "St11align_val_t") for quiet in ("", "RKSt9nothrow_t")),
    *(f"_Zd{of}Pv{how}" for of in "la" for how in (
        "", "m", "RKSt9nothrow_t", "St11align_val_t", "mSt11align_val_t", "St11align_val_tRKSt9nothrow_t",
    )),
}  # fmt: skip


def test_only_what_it_replaces_is_seen():
    told = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in told.stdout.splitlines()}
    assert {name for name in names if not name.startswith("hak_")} == {
        "malloc", "free", "calloc", "realloc", "reallocarray", "free_sized", "free_aligned_sized",
        "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc", "malloc_usable_size",
        "malloc_trim", "mallinfo", "mallinfo2", "malloc_stats", *OPERATORS,
    }  # fmt: skip


@pytest.mark.parametrize("replaced", ["NOTHING", "NEW_AND_DELETE", "NEW", "ALIGNED", "ARRAYS", "SIZED"])
def test_operators_are_those_of_cxx(compiled, replaced):
    if not shutil.which("g++"):
        pytest.skip("g++ is missing: `make deps` installs it")
    program = compiled("operators.cc", f"-DREPLACES_{replaced}", "-std=c++17", "-lstdc++")
    plain, done = run([program]), run([program], LD_PRELOAD=str(LIBRARY))
    assert (plain.returncode, plain.stderr) == (0, "")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", plain.stdout)
    bound = run([program], LD_PRELOAD=str(LIBRARY), LD_DEBUG="bindings").stderr
    here = set(re.findall(rf"to {LIBRARY} .*normal symbol `(_Z[nd]\w+)'", bound))
    assert len(here) >= 8, here


def instructions(program, *arguments, **variables):
    counted = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, *arguments]
    return int(re.search(r"refs: +([\d,]+)", run(counted, **variables).stderr)[1].replace(",", ""))


@pytest.mark.parametrize("size, most", [(100, 65), (1500, 130), (16000, 130), (50_000, 650), (300_000, 700)])
def test_a_pair_takes_few_instructions(compiled, size, most):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is missing: `make deps` installs it")
    program = compiled("pairs.c")
    some, more = (instructions(program, n, str(size), LD_PRELOAD=str(LIBRARY)) for n in ("4000", "5000"))
    assert (more - some) / 1000 < most


def test_operators_that_step_aside_look_up_the_others_once(compiled):
    for needed in "g++", "valgrind":
        if not shutil.which(needed):
            pytest.skip(f"{needed} is missing: `make deps` installs it")
    program = compiled("replaced.cc", "-std=c++17", "-lstdc++")
    some, more = (instructions(program, n, LD_PRELOAD=str(LIBRARY)) for n in (1000, 2000))
    assert (more - some) / 1000 < 400  # of a pair; to look both up takes thousands


def test_a_library_in_cxx_of_a_program_in_c_can_throw(compiled, tmp_path):
    if not shutil.which("g++"):
        pytest.skip("g++ is missing: `make deps` installs it")
    flags = ["-std=c++17", "-w", "-shared", "-fPIC"]
    source, library = HERE / "operators.cc", tmp_path / "operators.so"
    subprocess.run(["g++", *flags, source, "-o", library], check=True)
    done = run([compiled("loads.c", "-ldl"), library], LD_PRELOAD=str(LIBRARY))
    assert (done.returncode, done.stderr) == (0, "")


# ------------------------------------------------------------------ hakmem run


def refused(code, why, *arguments):
    done = run([COMMAND, "run", *arguments])
    assert done.returncode == code
    assert re.fullmatch(f"hakmem run: .*{why}.*\n", done.stderr), done.stderr


def test_the_exit_code_and_signals_are_the_programs():
    assert run([COMMAND, "run", "sh", "-c", "exit 7"]).returncode == 7
    assert run([COMMAND, "run", "sh", "-c", "kill -TERM $$"]).returncode == -15


def test_the_profile_is_the_programs():
    told = run([COMMAND, "run", "--profile", "lean", COMMAND, "options"]).stdout
    assert re.search(r"HAKMEM_PROFILE +lean +environment", told)


ASK_LUA = """
local ok, hakmem = pcall(require, "hakmem")
print(ok and hakmem.installed(), ok and hakmem.thread_stats().heaps, before, ...)
"""


@pytest.mark.parametrize("version", ["5.1", "5.2", "5.3", "5.4", "jit"])
def test_lua_has_the_adapter(version, tmp_path):
    lua = shutil.which("luajit" if version == "jit" else f"lua{version}")
    module = BUILD / "lua" / version
    if not lua or not (module / "hakmem.so").exists():
        pytest.skip(f"there is no Lua {version} here")
    script, init = tmp_path / "ask.lua", tmp_path / "a]]b.lua"
    script.write_text(ASK_LUA)
    init.write_text("before = 'file'")

    def asked(**variables):
        done = run([COMMAND, "run", lua, script, "argument"], LUA_CPATH=f"{module}/?.so", **variables)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout.split()

    assert asked() == ["true", "1", "nil", "argument"]
    assert asked(LUA_INIT="before = 'text'") == ["true", "1", "text", "argument"]
    assert asked(LUA_INIT=f"@{init}") == ["true", "1", "file", "argument"]
    assert asked(HAKMEM_LUA="0") == ["false", "1", "nil", "argument"]
    if version not in ("5.1", "jit"):
        own = {"LUA_INIT_" + version.replace(".", "_"): "before = 'own'"}
        assert asked(**own) == ["true", "1", "own", "argument"]
    alone = run([COMMAND, "run", lua, "-e", "print(1)"], LUA_CPATH="/nowhere/?.so")
    assert (alone.stdout, alone.stderr) == ("1\n", "")


def test_an_unknown_value_of_the_switch_for_lua():
    done = run([COMMAND, "run", "echo", "1"], HAKMEM_LUA="maybe")
    assert done.stdout == "1\n" and "HAKMEM_LUA is 'maybe', accepted are 0, 1, no, yes" in done.stderr


ASK_PYTHON = """
import os, sys
try:
    import hakmem
except ImportError:
    print(None, end=" ")
else:
    print(*hakmem.installed(), hakmem.thread_stats()["heaps"], end=" ")
import sitecustomize
print(any("hakmem-run" in each for each in sys.path), getattr(sitecustomize, "mine", None))
"""


def test_python_has_the_adapter(tmp_path):
    python = os.environ.get("PYTHON", "python3")
    version = run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).stdout.strip()
    package = BUILD / "python" / version
    if not package.exists():
        pytest.skip(f"the package is not built for {python}")
    (tmp_path / "sitecustomize.py").write_text("mine = 'mine'")

    def asked(path, *options, **variables):
        done = run([COMMAND, "run", python, *options, "-c", ASK_PYTHON], PYTHONPATH=path, **variables)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout.split()

    assert asked(f"{package}:{tmp_path}") == ["mem", "obj", "1", "False", "mine"]
    assert asked(f"{package}:{tmp_path}", HAKMEM_PYTHON="0") == ["1", "False", "mine"]
    assert asked(str(package))[:4] == ["mem", "obj", "1", "False"]
    assert asked(str(tmp_path)) == ["None", "False", "mine"]


def test_other_preloaded_libraries_stay():
    shown = run([COMMAND, "run", "sh", "-c", "echo $LD_PRELOAD"], LD_PRELOAD="libm.so.6").stdout
    assert shown == f"{LIBRARY.resolve()}:libm.so.6\n"


def test_a_program_that_does_not_exist():
    refused(127, "No such file", "no-such-program")
    refused(127, "No such file", "/no/such/program")


def test_a_file_that_is_no_program(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("text")
    refused(126, "Permission denied", plain)
    refused(127, "No such file", tmp_path)


def test_a_static_program(tmp_path):
    (tmp_path / "one.c").write_text("int main(void) { return 0; }")
    subprocess.run([CC, "-static", tmp_path / "one.c", "-o", tmp_path / "one"], check=True)
    refused(126, "statically", tmp_path / "one")
    script = tmp_path / "script"
    script.write_text(f"#!{tmp_path}/one\n")
    script.chmod(0o755)
    refused(126, "statically", script)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a program other rights")
def test_a_program_with_other_rights(tmp_path, compiled):
    other = tmp_path / "other"
    shutil.copy(shutil.which("true"), other)
    shutil.chown(other, 65534)
    other.chmod(0o4755)
    refused(126, "other rights", other)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a program other rights")
def test_variables_are_not_read_with_other_rights(tmp_path):
    """A linked program, that the loader cannot keep hakmem from."""
    other = tmp_path / "other"
    source = tmp_path / "other.c"
    source.write_text("#include <stdlib.h>\nint main(void) { return malloc(1) == NULL; }")
    subprocess.run([CC, source, BUILD / "libhakmem-malloc.a", "-o", other, "-pthread"], check=True)
    asked = dict(HAKMEM_PROFILE="nonsense", HAKMEM_STATS="1", HAKMEM_SS_OS_STATS="1")
    assert run([other], **asked).stderr.count("\n") == 3
    shutil.chown(other, 65534)
    other.chmod(0o4755)
    tmp_path.chmod(0o755)
    assert run([other], **asked).stderr == ""


@pytest.mark.parametrize("arguments, why", [
    ([], "no program is named"), (["--profile", "fast", "ls"], "unknown profile 'fast'"),
    (["--profile"], "there is no option --profile"), (["-x", "ls"], "there is no option -x"),
])  # fmt: skip
def test_wrong_usage(arguments, why):
    refused(2, re.escape(why), *arguments)
