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
    done = run([COMMAND, "run", compiled("wrong.c"), mistake])
    assert done.returncode == -6
    assert re.fullmatch(f"hakmem: {MISTAKES[mistake]}\n", done.stderr), done.stderr


def test_blocks_of_libc_go_back_to_it(compiled):
    done = run([COMMAND, "run", compiled("wrong.c"), "libcs"])
    assert (done.returncode, done.stderr) == (0, "")


def test_only_what_it_replaces_is_seen():
    told = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in told.stdout.splitlines()}
    assert {name for name in names if not name.startswith("hak_")} == {
        "malloc", "free", "calloc", "realloc", "reallocarray", "free_sized", "free_aligned_sized",
        "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc", "malloc_usable_size",
        "malloc_trim", "mallinfo", "mallinfo2", "malloc_stats",
    }  # fmt: skip


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
