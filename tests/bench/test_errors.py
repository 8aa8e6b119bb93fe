"""Whatever is wrong is told, with what to do, and never left out in silence."""

import shutil
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["random-mxied"], ["suite 'random-mxied'", "random-mixed", "lua"]),
        (["random-mixed", "--allocators", "foo"], ["'foo'", "hakmem", "snmalloc"]),
        (["random-mixed", "--allocators", "pymalloc"], ["no Python", "mimalloc"]),
        (["random-mixed", "--cases", "ws5"], ["case 'ws5'", "ws400, ws4000"]),
        (["random-mixed", "--cpu", "9999"], ["processor '9999'", "accepted: 0"]),
        (["random-mixed", "--runs", "0"], ["--runs", "at least 1"]),
        (["random-mixed", "--allocators", "hakmem,"], ["an empty name"]),
        (["random-mixed", "--json", "/nowhere/x.json"], ["no such folder"]),
    ],
)
def test_what_does_not_exist_is_a_usage_error_that_lists_what_does(
    build, arguments, told
):
    build.all_programs()
    status, stdout, stderr = build.hakbench("run", *arguments)
    assert status == 2
    assert not stdout
    for part in told:
        assert part in stderr


def blind(build, tmp_path):
    """A PATH in which no preloaded library is ever seen. The driver looks for it in what
    `cat /proc/self/maps` prints."""
    tools = tmp_path / "tools"
    tools.mkdir()
    build.script(tools / "cat", "exit 0")
    return f"{tools}:/usr/bin:/bin"


PEERS = {
    "mimalloc": "install the Debian package libmimalloc2.0",
    "mimalloc3": "run `make peers`",
    "jemalloc": "install the Debian package libjemalloc2",
    "tcmalloc": "install the Debian package libtcmalloc-minimal4",
    "snmalloc": "run `make peers`",
}


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_that_was_named_must_be_there(build, tmp_path, peer):
    build.all_programs()
    status, stdout, stderr = build.hakbench(
        "run", "random-mixed", "--allocators", f"hakmem,{peer}", PATH=blind(build, tmp_path)
    )
    assert status == 1
    assert not stdout
    assert f"{peer} is not here: {PEERS[peer]}" in stderr


def test_peers_that_nobody_named_may_be_missing_and_the_tables_say_so(build, tmp_path):
    build.all_programs()
    status, stdout, _ = build.hakbench(
        "run", "random-mixed", "--cases", "ws400", "--runs", "1", PATH=blind(build, tmp_path)
    )
    assert status == 0
    for peer, remedy in PEERS.items():
        assert f"left out: {peer} is not here: {remedy}" in stdout
    assert {words[0] for words in build.logged()} == {"hakmem", "system", "null"}


@pytest.mark.parametrize(
    ("allocator", "remedy"),
    [
        ("hakmem", "run `make`"),
        ("system", "run `make`"),
        ("hakmem-fast", "run `make fast`"),
        ("hakmem-observe", "run `make observe`"),
        ("hakmem-pgo", "run `make pgo`"),
        ("hakmem-preload", "run `make preload`"),
    ],
)
def test_a_missing_build_is_told_with_the_command_that_makes_it(
    build, allocator, remedy
):
    status, _, stderr = build.hakbench("run", "random-mixed", "--allocators", allocator)
    assert status == 1
    assert f"{allocator} is not built" in stderr
    assert remedy in stderr


def test_a_program_without_its_peer_is_not_measured_under_its_name(build):
    build.program("tcmalloc")
    shutil.copy(shutil.which("cat"), build.folder / "bench" / "random_mixed-tcmalloc")
    status, _, stderr = build.hakbench(
        "run", "random-mixed", "--allocators", "tcmalloc"
    )
    assert status == 1
    assert "should be linked with tcmalloc, but ldd shows none" in stderr


def test_all_that_is_missing_is_told_before_anything_runs(build):
    build.program("null")
    status, _, stderr = build.hakbench(
        "run", "random-mixed", "--allocators", "null,hakmem,system"
    )
    assert status == 1
    assert "hakmem is not built" in stderr
    assert "system is not built" in stderr
    assert not build.log.exists()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("echo wrong sum >&2; exit 4", ["exit status 4", "wrong sum"]),
        ("echo Segmentation", ["not one JSON object", "Segmentation"]),
        ('echo \'{"mops": "fast"}\'; exit 0', ["'mops'", "'fast'"]),
        ("echo '{\"mops\": 0}'; exit 0", ["'mops'", "above zero"]),
        ("echo '{\"mops\": 5}'; exit 0", ["'peak_rss_kib'"]),
    ],
)
def test_a_failing_sample_stops_the_run(build, body, told):
    build.program("system")
    build.program("hakmem", body=body)
    file = build.folder / "result.json"
    status, stdout, stderr = build.hakbench(
        "run", "random-mixed", "--allocators", "hakmem,system", "--json", file
    )
    assert status == 1
    assert not stdout
    assert not file.exists()
    assert "random_mixed-hakmem --ws 400 --ops 20000000 --seed 1" in stderr
    assert "Traceback" not in stderr
    for part in told:
        assert part in stderr
    assert [words[0] for words in build.logged()] == ["hakmem"]


def fake_lua(build, tmp_path):
    """An interpreter that drops LD_PRELOAD and has no modules."""
    path = tmp_path / "lua"
    build.script(
        path,
        "unset LD_PRELOAD\n"
        'case "$*" in\n'
        "*--list*) echo trees ;;\n"
        "*_VERSION*) printf 5.4 ;;\n"
        "*hakmem.auto*) echo module not found >&2; exit 1 ;;\n"
        "*maps*) cat /proc/self/maps ;;\n"
        '*trees*) echo \'{"case": "tables"}\' ;;\n'
        "esac",
    )
    return path


@pytest.mark.parametrize(
    ("allocator", "told"),
    [
        ("mimalloc", "install the Debian package libmimalloc2.0"),
        ("hakmem", "run `make`"),
        ("hakmem-fast", "run `make fast"),
        ("hakmem-preload", "run `make preload`"),
        ("lua-default", "did not run the case trees"),
    ],
)
def test_a_lua_that_would_measure_something_else_is_an_error(
    build, tmp_path, allocator, told
):
    lua = fake_lua(build, tmp_path)
    status, _, stderr = build.hakbench(
        "run", "lua", "--lua", lua, "--allocators", allocator
    )
    assert status == 1
    assert told in stderr


def test_null_in_the_lua_suite_is_refused_with_the_reason(build, tmp_path):
    lua = fake_lua(build, tmp_path)
    status, _, stderr = build.hakbench(
        "run", "lua", "--lua", lua, "--allocators", "null"
    )
    assert status == 2
    assert "cannot run without an allocator" in stderr
    assert "accepted: hakmem, lua-default, mimalloc" in stderr


def test_an_interpreter_that_is_not_there_names_the_package(build):
    status, _, stderr = build.hakbench("run", "lua", "--lua", "no-such-lua")
    assert status == 1
    assert "no-such-lua" in stderr
    assert "lua5.4" in stderr


def test_a_python_that_is_not_there_is_told_by_its_name(build):
    status, _, stderr = build.hakbench("run", "python", "--python", "no-such-python")
    assert status == 1
    assert stderr == "hakbench: there is no Python interpreter no-such-python\n"


@pytest.mark.parametrize("body", ["exit 0", "exit 1", "echo 2.7", "kill -9 $$"])
def test_a_python_that_is_none_is_refused(build, tmp_path, body):
    python = tmp_path / "python"
    build.script(python, body)
    for suite in ("python", "python-churn"):
        status, stdout, stderr = build.hakbench("run", suite, "--python", python)
        assert status == 1
        assert not stdout
        assert stderr == f"hakbench: {python} is no working interpreter of Python 3\n"


@pytest.mark.parametrize("suite", ["python", "python-churn"])
def test_a_python_program_that_does_not_exist_is_told_with_those_that_do(build, suite):
    known = {"python": "json_roundtrip", "python-churn": "records"}[suite]
    status, _, stderr = build.hakbench(
        "run", suite, "--cases", "recrods", "--python", sys.executable
    )
    assert status == 2
    assert "unknown case 'recrods'; accepted: " in stderr
    assert known in stderr


@pytest.mark.parametrize(
    ("allocator", "told"),
    [
        ("mimalloc", "install the Debian package libmimalloc2.0"),
        ("hakmem", "run `make python PYTHON="),
        ("hakmem-balanced", "run `make python PYTHON="),
        ("hakmem-fast", "run `make fast"),
        ("hakmem-preload", "run `make preload`"),
        ("pymalloc", "did not run the case trees"),
    ],
)
def test_a_python_that_would_measure_something_else_is_an_error(build, allocator, told):
    python = build.python(
        "*hakmem.install*) echo no module named hakmem >&2; exit 1 ;;\n"
        '*trees*) echo \'{"case": "tuples"}\' ;;'
    )
    status, _, stderr = build.hakbench(
        "run", "python-churn", "--python", python, "--allocators", allocator
    )
    assert status == 1
    assert told in stderr


@pytest.mark.parametrize("allocator", ["null", "lua-default"])
def test_what_no_python_program_can_run_on_is_refused_with_the_reason(build, allocator):
    status, _, stderr = build.hakbench(
        "run", "python", "--allocators", allocator, "--python", sys.executable
    )
    assert status == 2
    assert f"the suite python does not run {allocator}: " in stderr
    assert "accepted: hakmem, pymalloc, mimalloc" in stderr


def test_list_tells_what_is_missing_and_why(build):
    build.program("hakmem")
    status, stdout, _ = build.hakbench("list", "--lua", "no-such-lua")
    random_mixed = stdout.split("\n\n")[0]
    lines = [line.split(maxsplit=1) for line in random_mixed.splitlines()]
    told = {words[0]: words[-1] for words in lines}
    assert status == 0
    assert told["cases:"] == "ws400 ws4000 ws40000"
    assert told["hakmem"] == "available"
    assert told["system"].startswith("missing: system is not built")
    assert told["hakmem-pgo"].endswith("run `make pgo`")
    assert told["pymalloc"].startswith("not here: ")
    assert "there is no Lua interpreter no-such-lua" in stdout
