"""A CPython without the GIL: hakmem can be built, installed and imported there, and a program that does
so is told why install() refuses. Nothing else changes."""

import pytest

from conftest import FREE_THREADED, built

MISSING = "no free-threaded CPython is here: `make test-free-threaded` builds one"


@pytest.fixture(scope="module", params=FREE_THREADED or [None])
def python(request):
    if not request.param:
        pytest.skip(MISSING)
    return built(request.param)


def test_install_refuses(python):
    python.code("""
        import sys
        import hakmem
        for install in hakmem.install, lambda: hakmem.install(profile="lean", limit=1 << 30):
            try:
                install()
            except RuntimeError as error:
                assert "free-threaded" in str(error) and "a build with the GIL" in str(error), error
            else:
                raise SystemExit("installed")
        assert not hakmem.installed()
        """)


def test_it_stays_free_threaded(python):
    """A module that does not say otherwise would bring the GIL back, with a warning."""
    told = python.run("-W", "error", "-c", "import hakmem, sys; print(sys._is_gil_enabled())")
    assert (told.stdout, told.stderr) == ("False\n", "")


def test_what_needs_no_heap_works(python):
    python.code("""
        import threading
        import hakmem
        assert hakmem.openmetrics().endswith("# EOF\\n")
        assert "hakmem_installed 0" in hakmem.openmetrics()
        def ask():
            for _ in range(200):
                hakmem.process_stats()
                hakmem.options()
                hakmem.uninstall()
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """)


def test_a_program_runs_as_ever(python, tmp_path):
    """By `python -m hakmem`, or where the variable is set: one line says why it runs without."""
    program = tmp_path / "program.py"
    program.write_text("print(sum(range(10)))")
    plain = python.run(program)
    begun = "from hakmem._begin import begin; begin(); print(sum(range(10)))"
    for ours in python.run("-m", "hakmem", program), python.run("-c", begun):
        assert ours.stdout == plain.stdout == "45\n"
        (line,) = ours.stderr.splitlines()
        assert line.startswith("hakmem: not installed: this is a free-threaded CPython")
