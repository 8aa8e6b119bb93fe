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
        other = f"other = create({own}); run(other, 'pass'); interpreters.destroy(other)"
        quiet = mine.run("-c", f"{INTERPRETERS}\n{other}", env=on)
        assert quiet.stderr == ""
    gone = mine.run("-c", "print(1)", env={**on, "PYTHONPATH": ""})
    assert gone.stdout == "1\n"
    assert gone.stderr == "hakmem: not installed: No module named 'hakmem'\n"
    assert mine.run("-m", "hakmem.startup", "disable").stdout == "disabled\n"
    assert mine.run("-m", "hakmem.startup", "disable").stdout == "was not enabled\n"
    assert mine.code(installed, env=on) == "False\n"


# ------------------------------------------------------------------ the startup file

TAKEN = """
import sys
hakmem = sys.modules.get("hakmem")
print(*sorted(hakmem.installed()) if hakmem else ["nothing"])
"""


@pytest.fixture(scope="module")
def prepared(python, tmp_path_factory):
    """An environment of each interpreter that has the package and the startup file."""
    folder = tmp_path_factory.mktemp("prepared")
    subprocess.run([python.program, "-m", "venv", "--without-pip", folder], check=True)
    mine = type(python)(".".join(map(str, python.version)), folder / "bin" / "python")
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "hakmem-path.pth").write_text(f"{python.package}\n")  # where -E finds it too
    mine.package = ""
    mine.file = packages / "hakmem-startup.pth"
    return mine


@pytest.fixture
def enabled(prepared):
    """The same with the startup file in place."""
    assert str(prepared.file) in prepared.run("-m", "hakmem.startup", "enable").stdout
    return prepared


def begun(python, *flags, **variables):
    """What a program with these variables has installed, and the lines on stderr."""
    ended = python.run(*flags, "-c", TAKEN, env=variables)
    return ended.stdout.strip(), ended.stderr.splitlines()


def test_the_switch_is_taken_as_people_write_it(enabled):
    for value in "1", "yes", "YES", "true", "on", " On ", "force":
        assert begun(enabled, HAKMEM_PYTHON=value) == ("mem obj", []), value
    for value in "", "0", "no", "No", "off", "false", "FALSE":
        assert begun(enabled, HAKMEM_PYTHON=value) == ("nothing", []), value
    for value in "maybe", "2", "x" * 100:
        installed, (line,) = begun(enabled, HAKMEM_PYTHON=value)
        assert installed == "", value
        assert line.startswith(f"hakmem: not installed: HAKMEM_PYTHON is '{value[:40]}', accepted")
    for name in "HAKMEM_PYTHN", "HAKMEM_PYHTON", "HAKMEM_PTYHON", "HAKMEM_PYTHON3":
        installed, (line,) = begun(enabled, **{name: "1"})
        assert installed == "nothing"
        assert line == f"hakmem: not installed: {name} is no variable, the nearest is HAKMEM_PYTHON"
    assert begun(enabled, HAKMEM_PROFILE="lean") == ("nothing", [])
    installed, (line,) = begun(enabled, HAKMEM_PYTHON="1", HAKMEM_PROFLIE="lean")
    assert installed == "mem obj" and line.endswith("the nearest is HAKMEM_PROFILE")


def test_an_allocator_that_the_user_names_stands(enabled):
    names = ["malloc", "malloc_debug", "pymalloc", "pymalloc_debug"]
    if enabled.version >= (3, 13):
        names += ["mimalloc", "mimalloc_debug"]
    for name in names:
        installed, (line,) = begun(enabled, HAKMEM_PYTHON="1", PYTHONMALLOC=name)
        assert installed == "", name
        assert line == (
            f"hakmem: not installed: PYTHONMALLOC={name} chooses another allocator;"
            " HAKMEM_PYTHON=force installs hakmem all the same"
        )
        assert begun(enabled, HAKMEM_PYTHON="Force", PYTHONMALLOC=name) == ("mem obj", [])
        assert begun(enabled, HAKMEM_PYTHON="0", PYTHONMALLOC=name) == ("nothing", [])
    # These name none, and hakmem lies below the hooks.
    for name in "", "default", "debug":
        assert begun(enabled, HAKMEM_PYTHON="1", PYTHONMALLOC=name) == ("mem obj", [])
    assert begun(enabled, "-X", "dev", HAKMEM_PYTHON="1") == ("mem obj", [])


def test_flags_that_ignore_the_environment_ignore_ours(enabled):
    variables = {"HAKMEM_PYTHON": "1", "HAKMEM_PROFLIE": "x"}
    for flag in "-E", "-I":
        assert begun(enabled, flag, **variables) == ("nothing", [])
        ended = enabled.run(
            flag,
            "-c",
            "import hakmem; print(hakmem.options()['wake']['origin'], hakmem.install(),"
            " hakmem.profile() == 'lean', hakmem.options()['profile']['origin'])",
            env={"HAKMEM_PROFILE": "lean", "HAKMEM_WAKE": "9", "HAKMEM_CARVE": "x", **variables},
        )
        assert (ended.stdout, ended.stderr) == ("profile True False default\n", "")
    ended = enabled.code(
        "import hakmem; hakmem.install(); print(hakmem.profile())", env={"HAKMEM_PROFILE": "lean"}
    )
    assert ended == "lean\n"


def test_the_command_is_silent_where_the_file_has_begun(enabled):
    for switch in "1", "0":
        for action in "status", "enable":
            ended = enabled.run("-m", "hakmem.startup", action, env={"HAKMEM_PYTHON": switch})
            assert ended.stdout.startswith("enabled") and ended.stderr == ""


def test_a_file_of_another_version_is_told(enabled):
    enabled.file.write_text("import os; os.environ.get('HAKMEM_PYTHON') == '1' and 0\n")
    status = enabled.run("-m", "hakmem.startup", "status").stdout
    assert status.startswith("enabled by another version of hakmem (enable again), ")
