"""python -m hakmem, and hakmem.startup: programs run as the interpreter itself would run them."""

import subprocess

import pytest

from test_company import INTERPRETERS

SHOW = "import sys; print(sys.argv, __name__, sys.path[0], sorted(k for k in globals() if k != 'annotations'))\n"


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(SHOW)
    return path


def same(python, *arguments, **options):
    """Runs it with and without hakmem; the outcome must be the same."""
    plain = python.run(*arguments, status=None, **options)
    ours = python.run("-m", "hakmem", "-q", *arguments, status=None, **options)
    assert ours.stdout == plain.stdout
    assert ours.returncode == plain.returncode
    assert ours.stderr == plain.stderr
    return ours


def test_a_script(python, program, tmp_path):
    assert "__main__" in same(python, program, "a", "-b").stdout
    same(python, "program.py", "a", cwd=tmp_path)


def test_a_module(python, program, tmp_path):
    same(python, "-m", "program", "a", cwd=tmp_path)
    same(python, "-m", "json.tool", input='{"a": [1, 2]}')
    same(python, "-m", "no_such_module_anywhere", cwd=tmp_path)


def test_code(python, tmp_path):
    same(python, "-c", SHOW, "a", "-b", cwd=tmp_path)


def test_a_directory_and_an_archive(python, tmp_path):
    (tmp_path / "__main__.py").write_text(SHOW)
    same(python, tmp_path, "a")


@pytest.mark.parametrize(
    "source",
    [
        "raise SystemExit(3)",
        "raise SystemExit('message')",
        "import sys; sys.exit()",
        "import os; os._exit(4)",
        "def f(): raise ValueError('x')\ndef g(): f()\ng()",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
        "raise KeyboardInterrupt",
        "open('/no/such/file')",
        "this is no Python",
    ],
)
def test_endings(python, tmp_path, source):
    path = tmp_path / "program.py"
    path.write_text(source)
    same(python, path)


def test_a_missing_script(python, tmp_path):
    same(python, "missing.py", cwd=tmp_path)


def test_hakmem_is_installed_and_sums_up(python, tmp_path):
    path = tmp_path / "program.py"
    path.write_text("import hakmem; print(hakmem.installed())")
    ended = python.run("-m", "hakmem", path)
    assert "obj" in ended.stdout
    assert "footprint" in ended.stderr and ended.stderr.count("\n") == 1


def test_usage(python):
    assert "usage" in python.run("-m", "hakmem", status=2).stderr
    assert "usage" in python.run("-m", "hakmem", "-x", status=2).stderr
    assert "usage" in python.run("-m", "hakmem.startup", "on", status=2).stderr


def test_startup(python, tmp_path):
    subprocess.run([python.program, "-m", "venv", "--without-pip", tmp_path], check=True)
    mine = type(python)(".".join(map(str, python.version)), tmp_path / "bin" / "python")
    installed = "import sys; print('hakmem' in sys.modules and sys.modules['hakmem'].installed())"
    on = {"HAKMEM_PYTHON": "1"}
    assert mine.run("-m", "hakmem.startup", "status").stdout.startswith("not enabled")
    assert mine.code(installed, env=on) == "False\n"
    assert mine.run("-m", "hakmem.startup", "enable").stdout.startswith("enabled")
    assert mine.run("-m", "hakmem.startup", "status").stdout.startswith("enabled")
    assert mine.code(installed) == "False\n"
    assert "obj" in mine.code(installed, env=on)
    for own in (False, True):
        quiet = mine.run("-c", f"{INTERPRETERS}\nrun(create({own}), 'pass')", env=on)
        assert quiet.stderr == ""
    gone = mine.run("-c", "print(1)", env={**on, "PYTHONPATH": ""})
    assert gone.stdout == "1\n"
    assert gone.stderr == "hakmem: not installed: No module named 'hakmem'\n"
    assert mine.run("-m", "hakmem.startup", "disable").stdout == "disabled\n"
    assert mine.run("-m", "hakmem.startup", "disable").stdout == "was not enabled\n"
    assert mine.code(installed, env=on) == "False\n"
