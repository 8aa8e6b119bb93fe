"""The package as people get it: a source distribution, the wheel built from it, and an environment
that has only the wheel. On the system's Python. Downloads setuptools, build, mypy and
prometheus-client from PyPI.
"""

import os
import re
import shutil
import subprocess
import tarfile
import zipfile

import pytest
from conftest import ROOT, Python

SOURCES = ROOT / "bindings" / "python" / "hakmem"
VERSION = re.search(r'HAK_VERSION "(.*)"', (ROOT / "core/hakmem.h").read_text())[1]


def make_venv(python, folder, *packages):
    subprocess.run([python.program, "-m", "venv", folder], check=True)
    made = Python(".".join(map(str, python.version)), folder / "bin" / "python")
    made.package = folder / "nothing"  # what is installed there is what is used
    if packages:
        made.run("-m", "pip", "install", "--quiet", *packages)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def tools(system_python, folder):
    packages = "build==1.2.2", "mypy==1.13.0", "prometheus-client==0.21.0"
    return make_venv(system_python, folder / "tools", *packages)


@pytest.fixture(scope="module")
def sdist(tools, folder):
    """Built from a copy, since setuptools writes into its source."""
    ignored = shutil.ignore_patterns("build", ".git", "__pycache__", "*.egg-info")
    source = shutil.copytree(ROOT, folder / "source", ignore=ignored)
    tools.run("-m", "build", "--sdist", "--outdir", folder / "dist", source)
    (made,) = (folder / "dist").glob("*.tar.gz")
    return made


def make_wheel(tools, sdist, where):
    """As of a commit of some day. pip unpacks the source distribution in a folder of its own each time."""
    of_that_day = {"SOURCE_DATE_EPOCH": "1700000000"}
    tools.run("-m", "pip", "wheel", "--quiet", "--no-deps", "-w", where, sdist, env=of_that_day)
    (made,) = where.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def wheel(tools, sdist, folder):
    return make_wheel(tools, sdist, folder / "wheel")


@pytest.fixture(scope="module")
def user(system_python, wheel, folder):
    """An environment that has the wheel and nothing else of ours."""
    return make_venv(system_python, folder / "user", wheel)


def test_the_source_distribution_holds_what_builds_it(sdist):
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"LICENSE", "pyproject.toml", "setup.py", "core/hakmem.h"} <= names
    assert {"bindings/hakmem.i", "bindings/control.c"} <= names
    assert not [name for name in names if re.search(r"\.(o|a|so|pyc)$", name)]
    assert not [name for name in names if name.endswith("_wrap.c")]


def test_the_wheel_holds_the_package(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
    modules = {name for name in names if re.fullmatch(r"hakmem/_hakmem\..*\.so", name)}
    assert len(modules) == 1
    expected = {f"hakmem/{path.name}" for path in SOURCES.iterdir() if path.is_file()}
    assert names - modules == expected
    assert {"hakmem/py.typed", "hakmem/__init__.pyi"} <= names
    assert wheel.name.startswith(f"hakmem-{VERSION}-")


def test_the_metadata_is_as_standards_have_it(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith("/METADATA"))
        metadata = file.read(name).decode()
        assert any(name.endswith("/licenses/LICENSE") for name in file.namelist())
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nRequires-Python: >=3.9\n" in metadata


def test_a_wheel_of_the_same_sources_has_the_same_bytes(tools, sdist, wheel, tmp_path):
    assert make_wheel(tools, sdist, tmp_path).read_bytes() == wheel.read_bytes()


def test_the_wheel_is_for_one_interpreter(wheel, system_python):
    version = "".join(map(str, system_python.version[:2]))
    machine = system_python.code("import sysconfig; print(sysconfig.get_platform())").strip()
    tag = f"cp{version}-cp{version}-{re.sub('[-.]', '_', machine)}"
    assert wheel.name == f"hakmem-{VERSION}-{tag}.whl"
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith("/WHEEL"))
        lines = file.read(name).decode().splitlines()
    assert f"Tag: {tag}" in lines and "Root-Is-Purelib: false" in lines


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_either_compiler_builds_it(tools, sdist, folder, compiler):
    """Without a word about deprecated metadata, or about flags."""
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is missing")
    where = folder / compiler
    told = tools.run(
        "-m", "pip", "wheel", "--verbose", "--no-deps", "-w", where, sdist, env={"CC": compiler}
    )
    output = told.stdout + told.stderr
    assert not re.search(r"Deprecat|unknown argument|[Ww]arning: .*(flag|option|lto)", output)
    (made,) = where.glob("*.whl")
    user = make_venv(tools, folder / f"{compiler}-user", made)
    assert user.code("import hakmem; hakmem.install(); print(hakmem.stats()['live_blocks'] > 0)") == "True\n"


def test_it_works_where_it_is_installed(user):
    told = user.code("""
        import hakmem
        hakmem.install()
        kept = [str(i) for i in range(10000)]
        assert hakmem.stats()["live_blocks"] > 10000
        print(hakmem.version, hakmem.__file__)
        """)
    version, path = told.split()
    assert version == VERSION and str(user.program.parents[1]) in path
    assert "footprint" in user.run("-m", "hakmem", "-c", "pass").stderr
    assert user.run("-m", "pip", "check", status=None).returncode == 0


SHOW = """
import sys
hakmem = sys.modules.get("hakmem")
print(*sorted(hakmem.installed()) if hakmem else ["nothing"])
"""


def test_startup(user):
    on, off = {"HAKMEM_PYTHON": "1"}, {"HAKMEM_PYTHON": "0"}
    status = lambda: user.run("-m", "hakmem.startup", "status").stdout
    assert status().startswith("not enabled, ")
    assert user.code(SHOW, env=on) == "nothing\n"
    enabled = user.run("-m", "hakmem.startup", "enable").stdout
    assert str(user.program.parents[1]) in enabled
    try:
        assert status().startswith("enabled, ")
        assert user.code(SHOW, env=on) == "mem obj\n"
        assert user.code(SHOW, env=off) == user.code(SHOW) == "nothing\n"
        assert user.code(SHOW, "-S", env=on) == "nothing\n"
    finally:
        assert user.run("-m", "hakmem.startup", "disable").stdout == "disabled\n"
    assert status().startswith("not enabled, ")
    assert user.code(SHOW, env=on) == "nothing\n"


def imported(python, source="", **options):
    """The modules there are after a program. That of SWIG's types has the number of their layout."""
    names = python.code(f"{source}\nimport sys; print(*sys.modules)", **options).split()
    return {re.sub(r"^(swig_runtime_data)\d+$", r"\1", name) for name in names}


def test_imports_cost_little(user):
    """What is imported is counted, since time is not the same twice."""
    bare = imported(user)
    least = {"hakmem", "hakmem._hakmem", "swig_runtime_data", "gc"}
    assert imported(user, "import hakmem") - bare <= least
    used = "import hakmem; hakmem.install(); hakmem.stats(); hakmem.trim(); hakmem.uninstall()"
    assert imported(user, used) - bare <= least
    user.run("-m", "hakmem.startup", "enable")
    try:
        # What site reads such files with.
        assert imported(user) - bare <= {"encodings.utf_8_sig"}
        bare = imported(user)
        ours = imported(user, env={"HAKMEM_PYTHON": "1"}) - bare
        assert "hakmem" in ours and ours <= least | {"hakmem._begin"}
    finally:
        user.run("-m", "hakmem.startup", "disable")


@pytest.fixture(scope="module")
def tools_with_hakmem(tools, wheel):
    tools.run("-m", "pip", "install", "--quiet", wheel)
    return tools


def test_the_type_hints_are_those_of_the_code(tools_with_hakmem):
    checked = tools_with_hakmem.run("-m", "mypy.stubtest", "hakmem", status=None)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_type_hints_serve_a_program(tools_with_hakmem, tmp_path):
    tools = tools_with_hakmem
    program = tmp_path / "program.py"
    program.write_text("""
import hakmem
import hakmem.prometheus
import hakmem.startup
import prometheus_client

def size() -> int:
    hakmem.install(domains=("obj", "mem"), profile="lean", limit=1 << 30)
    with hakmem.using_profile("speed"):
        name: str = hakmem.profile()
    print(name, hakmem.version, hakmem.stats()["footprint"], hakmem.openmetrics())
    registry = prometheus_client.CollectorRegistry()
    registry.unregister(hakmem.prometheus.register(registry))
    return hakmem.trim() + hakmem.limit() + len(hakmem.startup.enable())
""")
    tools.run("-m", "mypy", "--strict", program)
    program.write_text('import hakmem\nhakmem.install(profile="fast")\n')
    refused = tools.run("-m", "mypy", "--strict", program, status=1).stdout
    assert 'expected "' in refused and "fast" in refused


@pytest.mark.parametrize("swig", ["4.3.1", "4.4.0"])
def test_what_each_swig_writes_is_imported_without_a_warning(swig, system_python, sdist, tmp_path):
    """Those before make static types. The system has its own SWIG, for the other tests."""
    made = make_venv(system_python, tmp_path / swig, f"swig=={swig}", "setuptools>=77")
    path = f"{tmp_path / swig / 'bin'}:{os.environ['PATH']}"
    made.run("-m", "pip", "install", "--quiet", "--no-build-isolation", sdist, env={"PATH": path})
    made.run("-W", "error", "-c", "import hakmem; assert hakmem.install()")
