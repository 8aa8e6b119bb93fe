"""The programs and messages in the guide for Python services are as the guide says."""

import os
import re
import subprocess

import pytest

from documents import DOCS, PYTHON, PYTHON_VERSION, ROOT, blocks, run


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


PIPS = "error: externally-managed-environment"
CPYTHONS = ("No module named", "cannot import name", "Permission denied", "MemoryError", PIPS)


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
