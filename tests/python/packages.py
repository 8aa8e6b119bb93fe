#!/usr/bin/env python3
"""Packages from PyPI with hakmem as the allocator from startup on, and without it.

    packages.py [--python PROGRAM] [NAME…]

NumPy's tests (a part, some minutes), Flask's tests, some thousand requests to a Flask application,
and programs of pyperformance. How they are compared: comparison.py; of the requests, what is printed
must be the same too. Downloads the packages."""

import argparse
import hashlib
import subprocess
import sys
import tarfile
import time

import comparison
from comparison import BUILD, HERE

FLASK = "3.0.3"
FLASK_SHA256 = "ceb27b0af3823ea2737928a4d99d125a06175b8512c445cbd9a9ce200ef76842"
PACKAGES = f"""
    numpy==2.1.3 hypothesis==6.115.6
    flask=={FLASK} werkzeug==3.0.6 jinja2==3.1.4 markupsafe==3.0.2 itsdangerous==2.2.0 click==8.1.7
    blinker==1.8.2 asgiref==3.8.1 python-dotenv==1.0.1
    pytest==8.3.3 pluggy==1.5.0 iniconfig==2.0.0 packaging==24.2
    pyperformance==1.11.0 pyperf==2.8.0
""".split()

# What allocates and keeps objects in arrays; all would take an hour.
NUMPY = """
    multiarray array_coercion dtype indexing item_selection mem_overlap nditer numeric records
    regression scalarmath stringdtype ufunc
""".split()
PERFORMANCE = """
    deltablue richards pyflate json_loads json_dumps deepcopy go hexiom raytrace chaos telco
    sqlite_synth xml_etree logging nqueens generators coroutines scimark spectral_norm fannkuch
    pathlib regex_compile regex_v8 unpack_sequence comprehensions
""".split()


def flasks_tests(folder):
    """The folder of Flask's tests, which only its source distribution has."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"flask-{FLASK}.tar.gz"
    if not archive.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        source = ["--no-binary", ":all:", "-d", folder, f"flask=={FLASK}"]
        subprocess.run(pip + source, check=True)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != FLASK_SHA256:
        archive.unlink()
        sys.exit(f"packages: {archive.name} is not the one expected")
    with tarfile.open(archive) as file:
        file.extractall(folder)
    return folder / f"flask-{FLASK}" / "tests"


def commands(environment):
    """{name: what run_recorded.py is told}"""
    tests = flasks_tests(environment.folder)
    benchmarks = environment.code(
        "import pathlib, pyperformance as p;"
        " print(pathlib.Path(p.__file__).parent / 'data-files' / 'benchmarks')"
    )
    return {
        "requests": ["script", HERE / "flask_requests.py"],
        "flask": ["pytest", "-c", tests.parent / "pyproject.toml", tests],
        **{
            # As one process, that says whether it runs; times are not compared.
            name: ["script", f"{benchmarks}/bm_{name}/run_benchmark.py"]
            + ["--worker", "--debug-single-value"]
            for name in PERFORMANCE
        },
        "numpy": ["pytest", "-m", "not slow", "--hypothesis-seed=0"]
        + ["--pyargs", "numpy.lib"]
        + [f"numpy._core.tests.test_{name}" for name in NUMPY],
    }


def printed(environment, name, allocator):
    return (environment.folder / f"{name}.{allocator}.log").read_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3", metavar="PROGRAM")
    parser.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args()

    folder = BUILD / "tests" / "python" / "packages"
    environment = comparison.Environment(chosen.python, folder, PACKAGES)
    begin = time.monotonic()
    verdicts = []
    for name, command in commands(environment).items():
        if chosen.names and name not in chosen.names:
            continue
        verdict = comparison.compare(environment, name, command, timeout=180)
        if name == "requests":
            stock, ours = (
                printed(environment, name, who) for who in ("stock", "hakmem")
            )
            if stock != ours or "sha256" not in stock:
                verdict.different["what is printed"] = f"{ours!r}, {stock!r} stock"
        if not verdict.count("passed"):
            verdict.different.setdefault("the tests", "none passed")
        verdicts.append(verdict)
        print(verdict, flush=True)
    print(
        "packages:", comparison.summary(environment, verdicts, time.monotonic() - begin)
    )
    sys.exit(any(verdict.different for verdict in verdicts) or not verdicts)


if __name__ == "__main__":
    main()
