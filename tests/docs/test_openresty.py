"""The guide for nginx: its configuration, run by Debian's nginx and its Lua module, answers its commands
as it says.

The packages are unpacked rather than installed: the Lua module of Debian 12 wants OpenResty's LuaJIT, which
does not stand beside the LuaJIT that everything else here is built with."""

import os
import re
import socket
import subprocess
import time

import pytest

from documents import ROOT, blocks, run

PACKAGES = [
    "nginx",
    "libnginx-mod-http-ndk",
    "libnginx-mod-http-lua",
    "lua-resty-core",
    "lua-resty-lrucache",
]
# What the two of Debian 12 need besides; since then it is what everything else needs too.
OF_DEBIAN_12 = ["libpcre3", "libluajit2-5.1-2"]


def has_candidate(package):
    return re.search(r"^  Candidate: [^(]", run(["apt-cache", "policy", package]), re.MULTILINE)


@pytest.fixture(scope="session")
def nginx():
    """The folder that the packages are unpacked in."""
    folder = ROOT / "build" / "nginx"
    root = folder / "root"
    if not (root / "unpacked").exists():
        folder.mkdir(parents=True, exist_ok=True)
        packages = PACKAGES + [package for package in OF_DEBIAN_12 if has_candidate(package)]
        found = subprocess.run(
            ["apt-get", "-qq", "download", *packages], cwd=folder, capture_output=True, text=True
        )
        if found.returncode:
            pytest.fail(f"apt-get cannot download nginx, try `apt-get update`: {found.stderr}")
        for package in folder.glob("*.deb"):
            run(["dpkg", "-x", str(package), str(root)])
        (root / "unpacked").touch()
    return root


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def server(nginx, prefix, tmp_path):  # noqa: F811
    """nginx with the configuration of the guide; what depends on the place is another one here."""
    configuration = next(text for kind, text in blocks("openresty.md") if kind == "nginx")
    port = free_port()
    modules = nginx / "usr/lib/nginx/modules"
    places = {
        "include modules-enabled/*.conf;": f"load_module {modules}/ndk_http_module.so;\n"
        f"load_module {modules}/ngx_http_lua_module.so;\ndaemon off;",
        "/usr/local/lib/lua": f"{prefix}/lib/lua",
        "lua_shared_dict": f'lua_package_path "{nginx}/usr/share/lua/5.1/?.lua;;";\nlua_shared_dict',
        "8080": str(port),
        "access_log off;": "access_log off;\n" + "\n".join(
            f"{name}_temp_path {tmp_path}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
    }
    for what, instead in places.items():
        assert what in configuration
        configuration = configuration.replace(what, instead)
    (tmp_path / "logs").mkdir()
    tmp_path.chmod(0o755)
    if os.getuid() == 0:  # the workers read the module as the user that the tests run as
        configuration = "user root;\n" + configuration
    (tmp_path / "nginx.conf").write_text(configuration)
    libraries = ":".join(str(path) for path in (nginx / "usr/lib").glob("*-linux-gnu*"))
    libraries += ":" + ":".join(str(path) for path in (nginx / "lib").glob("*-linux-gnu*"))
    environment = dict(os.environ, LD_LIBRARY_PATH=libraries)
    log = tmp_path / "logs" / "error.log"
    command = [str(nginx / "usr/sbin/nginx"), "-p", str(tmp_path), "-c", "nginx.conf", "-e", str(log)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"nginx: {process.stderr.read()}{log.read_text() if log.exists() else ''}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port, log, process
    process.terminate()
    process.wait(20)


def answer(command, port):
    return run(["sh", "-ec", command.replace("8080", str(port))])


def signals(log):
    """Signals that ended a worker, as the master tells."""
    return re.findall(r"exited on signal (\d+)", log.read_text())


def test_the_commands_of_the_guide_print_what_is_said(server):
    port, log, _ = server
    found = blocks("openresty.md")
    done = 0
    for (kind, command), (_, output) in zip(found, found[1:]):
        if kind != "sh":
            continue
        for _ in range(100):  # the first metrics are there soon after the start
            printed = subprocess.run(
                ["sh", "-c", command.replace("8080", str(port))], capture_output=True, text=True
            ).stdout
            if printed == output:
                break
            time.sleep(0.05)
        assert printed == output
        done += 1
    assert done == 3
    assert "not enough memory" in log.read_text()
    assert not signals(log)


def test_workers_outlive_greedy_requests(server):
    port, log, _ = server
    for _ in range(8):
        assert answer(f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{port}/greedy", port) == "500"
        assert answer(f"curl -s http://127.0.0.1:{port}/modest", port) == "10000\n"
    assert not signals(log)


def test_every_worker_has_metrics(server):
    port, log, _ = server
    time.sleep(0.5)
    for worker in range(2):
        text = answer(f"curl -s http://127.0.0.1:{port}/metrics/{worker}", port)
        assert "hakmem_footprint_bytes " in text and text.endswith("# EOF\n")
    code = answer(f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{port}/metrics/9", port)
    assert code == "404"
