"""A sample runs alone: pinned, in a cleaned environment, and it leaves nothing."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from driver import child
from driver.errors import SampleError
from driver.settings import ROOT, allowed_cpus

STRAY = {
    "HAKMEM_PROFILE": "stray",
    "HAKMEM_SS_OS_STATS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MIMALLOC_VERBOSE": "1",
    "GLIBC_TUNABLES": "glibc.malloc.check=0",
    "LUA_PATH": "/nowhere/?.lua",
    "LC_ALL": "C.UTF-8",
}


def environments(build, *options):
    """The environment that each allocator's sample saw."""
    for allocator in ("hakmem", "system"):
        build.program(allocator, body=f"env > {build.folder}/env-{allocator}")
    status, _, stderr = build.hakbench(
        "run",
        "random-mixed",
        "--cases",
        "ws400",
        "--runs",
        "1",
        "--allocators",
        "hakmem,system",
        *options,
        **STRAY,
    )
    assert status == 0, stderr
    seen = {}
    for allocator in ("hakmem", "system"):
        lines = (build.folder / f"env-{allocator}").read_text().splitlines()
        seen[allocator] = dict(line.split("=", 1) for line in lines)
        for added_by_shell in ("PWD", "OLDPWD", "SHLVL", "_"):
            seen[allocator].pop(added_by_shell, None)
    return seen


def test_nothing_of_the_callers_environment_reaches_a_sample(build):
    plain = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C"}
    assert environments(build) == {
        "hakmem": {**plain, "HAKMEM_PROFILE": "balanced"},
        "system": plain,
    }


def test_the_profile_asked_for_reaches_hakmem_alone(build):
    seen = environments(build, "--profile", "lean")
    assert seen["hakmem"]["HAKMEM_PROFILE"] == "lean"
    assert "HAKMEM_PROFILE" not in seen["system"]


def test_a_profile_by_name_reaches_the_samples_of_its_allocator(build):
    output = json.dumps({"case": "trees", "peak_rss_kib": 9000, "end_rss_kib": 9000})
    python = build.python(
        f'*trees*) echo "profile=$HAKMEM_PROFILE" >> {build.log}; echo \'{output}\' ;;'
    )
    status, _, stderr = build.hakbench(
        *("run", "python-churn", "--python", python, "--quick", "--runs", "1"),
        *("--allocators", "hakmem-balanced,hakmem,pymalloc", "--profile", "lean"),
    )
    assert status == 0, stderr
    assert {words[0] for words in build.logged()} == {
        "profile=balanced",
        "profile=lean",
        "profile=",
    }


MODULE = Path("lua") / "5.4" / "hakmem.so"


@pytest.mark.skipif(not (ROOT / "build" / MODULE).is_file(), reason="no Lua module")
def test_hakmem_is_the_lua_module_of_the_build_folder(build):
    (build.folder / MODULE).parent.mkdir(parents=True)
    shutil.copy(ROOT / "build" / MODULE, build.folder / MODULE)
    result = build.records(
        "lua", "--cases", "queens", "--quick", "--allocators", "hakmem,lua-default"
    )
    counted = {
        record["allocator"]: record["values"]
        for record in result["records"]
        if record["metric"] == "os_calls"
    }
    assert list(counted) == ["hakmem"]
    assert all(calls > 0 for calls in counted["hakmem"])


@pytest.mark.parametrize("cpu", allowed_cpus())
def test_a_child_is_pinned_to_the_processor_asked_for(cpu):
    status = child.run(["cat", "/proc/self/status"], child.clean_environment(), cpu)
    assert f"Cpus_allowed_list:\t{cpu}\n" in status.stdout


def test_a_child_keeps_address_space_randomisation():
    mappings = {
        child.run(["cat", "/proc/self/maps"], child.clean_environment()).stdout
        for _ in range(3)
    }
    assert len(mappings) == 3


def test_the_processor_time_of_a_child_is_its_own():
    busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
    working = child.run(["sh", "-c", busy], child.clean_environment())
    waiting = child.run(["sleep", "0.3"], child.clean_environment())
    assert working.cpu > 0.02
    assert waiting.cpu < 0.1 <= waiting.wall


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 3", "exit status 3"), ("kill -SEGV $$", "killed by SIGSEGV")],
)
def test_a_failing_child_is_told_with_command_status_and_stderr(script, status):
    with pytest.raises(SampleError) as error:
        child.run(["sh", "-c", f"echo it broke >&2; {script}"], {"PATH": "/bin"})
    message = str(error.value)
    assert "env -i PATH=/bin sh -c" in message
    assert status in message
    assert "it broke" in message


def test_a_program_that_cannot_start_is_told():
    with pytest.raises(SampleError, match="cannot start /nowhere/program"):
        child.run(["/nowhere/program"], child.clean_environment())


def alive(pid):
    """Whether a process runs; a zombie that nobody has collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_session_leaves_no_process(build, interruption):
    pids = build.folder / "pids"
    build.program(
        "hakmem",
        body=f"sleep 600 & echo $$ $! > {pids}.tmp; mv {pids}.tmp {pids}; wait",
    )
    driver = build.start("run", "random-mixed", "--allocators", "hakmem")
    wait_until(pids.exists)
    children = pids.read_text(encoding="utf-8").split()
    assert all(map(alive, children))
    driver.send_signal(interruption)
    _, stderr = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    wait_until(lambda: not any(map(alive, children)))
