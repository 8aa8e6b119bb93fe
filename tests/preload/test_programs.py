"""Real programs with hakmem in place of malloc: what they do comes out as without it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("HAK_BUILD", ROOT / "build"))
HAKMEM = [str(BUILD / "hakmem"), "run"]
PYTHON = os.environ.get("PYTHON", sys.executable)
SECONDS = 120


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HAKMEM_", "LD_", "MAKE", "MFLAGS"))}
    return {**kept, "LC_ALL": "C", **{k: str(v) for k, v in more.items()}}


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is missing: `make deps` installs it")


def run(*command, **options):
    """Runs a program on hakmem, and returns what it wrote."""
    options.setdefault("env", environment())
    done = subprocess.run(
        [*HAKMEM, *map(str, command)], capture_output=True, timeout=SECONDS, **options
    )
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    assert b"hakmem" not in done.stderr, done.stderr
    return done.stdout


def same(*command, **options):
    """The same, and compares it with what it writes without hakmem."""
    options.setdefault("env", environment())
    plain = subprocess.run([*map(str, command)], capture_output=True, timeout=SECONDS, **options)
    assert plain.returncode == 0, plain.stderr
    assert run(*command, **options) == plain.stdout
    return plain.stdout


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def server(*command, port, **options):
    """A server on hakmem, from when it listens; it must end by itself when asked to."""
    process = subprocess.Popen(
        [*HAKMEM, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=environment(), **options,
    )
    try:
        for _ in range(200):
            assert process.poll() is None, process.stderr.read()
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        assert "libhakmem-preload.so" in maps
        yield process
        process.terminate()
        assert process.wait(30) in (0, -15), process.stderr.read()
    finally:
        process.kill()


# ------------------------------------------------------------------ interpreters

PYTHON_THREADS = """
import hashlib, json, threading, zlib
told = [None] * 8
def work(n):
    rows = [{"id": i, "text": "x" * (i % 300), "parts": list(range(i % 20))} for i in range(5000)]
    packed = zlib.compress(json.dumps(rows).encode())
    told[n] = hashlib.sha256(json.dumps(json.loads(zlib.decompress(packed))).encode()).hexdigest()
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(set(told))
"""


def test_python_with_threads():
    assert same(PYTHON, "-c", PYTHON_THREADS).count(b"'") == 2


def test_lua():
    need("lua5.4")
    same("lua5.4", "-e", "local t = {} for i = 1, 3e5 do t[i] = {tostring(i)} end print(#t, #table.concat(t[7]))")


def test_perl():
    need("perl")
    same("perl", "-e", 'my %h; $h{$_ % 5000} .= "x" x ($_ % 90) for 1..300000; print join ",", map { length $h{$_} } sort keys %h')


def test_node():
    need("node")
    script = """
    const { createHash } = require('crypto'), zlib = require('zlib');
    const rows = Array.from({ length: 100000 }, (_, i) => ({ i, s: 'row' + i, l: [i, i + 1] }));
    const packed = zlib.gzipSync(JSON.stringify(rows));
    console.log(createHash('sha256').update(zlib.gunzipSync(packed)).digest('hex'));
    Promise.all([...Array(20)].map((_, i) => new Promise(f => zlib.deflate(Buffer.alloc(1e6, i), (e, b) => f(b.length)))))
        .then(l => console.log(l.join()));
    """
    same("node", "-e", script)


def test_a_jvm(tmp_path):
    need("java")
    run("java", "-version")
    if not shutil.which("javac"):
        return
    (tmp_path / "Words.java").write_text("""
    import java.util.*;
    public class Words {
        public static void main(String[] none) throws Exception {
            Map<String, List<Integer>> words = new TreeMap<>();
            for (int i = 0; i < 300000; i++) words.computeIfAbsent("w" + i % 1000, w -> new ArrayList<>()).add(i);
            Thread[] threads = new Thread[4];
            for (int t = 0; t < 4; t++) (threads[t] = new Thread(() -> new String(new char[1 << 20]))).start();
            for (Thread thread : threads) thread.join();
            System.out.println(words.hashCode());
        }
    }""")
    run("javac", "-d", tmp_path, tmp_path / "Words.java")
    same("java", "-Xmx200m", "-cp", tmp_path, "Words")


def test_bash():
    same("bash", "-c", 'for i in {1..2000}; do x+=" $i"; y=$(echo $i); done; set -- $x; echo $# $y')


# ------------------------------------------------------------------ tools


def test_git(tmp_path):
    need("git")
    run("git", "init", "-q", tmp_path / "one")
    at = ["git", "-C", tmp_path / "one", "-c", "user.name=n", "-c", "user.email=e"]
    for round_number in range(3):
        for path in (ROOT / "core").rglob("*.[ch]"):
            (tmp_path / "one" / path.name).write_text(path.read_text() * (1 + round_number))
        run(*at, "add", "-A")
        run(*at, "commit", "-q", "-m", f"{round_number}")
    run("git", "clone", "-q", "--no-local", tmp_path / "one", tmp_path / "two")
    run("git", "-C", tmp_path / "two", "gc", "-q", "--aggressive")
    run("git", "-C", tmp_path / "two", "fsck", "--strict")
    assert len(run("git", "-C", tmp_path / "two", "log", "--oneline").splitlines()) == 3


def test_gcc_compiles_this_project(tmp_path):
    need("make")
    log = run("make", "-j2", "-C", ROOT, f"B={tmp_path}/build", "V=1", f"{tmp_path}/build/libhakmem.a")
    assert b"core/heap/alloc.c" in log and (tmp_path / "build" / "libhakmem.a").exists()


TEMPLATES = """
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <thread>
#include <vector>
struct alignas(256) wide { char bytes[256]; };
template <int N> struct tower { tower<N - 1> below; std::map<int, std::vector<std::string>> here; };
template <> struct tower<0> {};
int main() {
    auto all = std::make_unique<tower<40>>();
    for (int i = 0; i < 20000; i++) all->here[i % 700].push_back(std::to_string(i));
    std::vector<std::unique_ptr<wide>> aligned;
    for (int i = 0; i < 100; i++) aligned.push_back(std::make_unique<wide>());
    bool good = std::all_of(aligned.begin(), aligned.end(), [](auto &w) { return (size_t)w.get() % 256 == 0; });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) threads.emplace_back([&] { std::ostringstream s; for (int i = 0; i < 9999; i++) s << i; });
    for (auto &thread : threads) thread.join();
    static volatile size_t most = (size_t)-1 / 4;
    static char *volatile taken;
    try { taken = new char[most]; } catch (const std::bad_alloc &) { std::cout << "refused "; }
    std::cout << all->here.size() << good << std::regex_match("aab", std::regex("a+b")) << std::endl;
}
"""


def test_gxx_compiles_templates_and_they_run(tmp_path):
    need("g++")
    (tmp_path / "t.cc").write_text(TEMPLATES)
    run("g++", "-std=c++17", "-O1", "-w", "-pthread", tmp_path / "t.cc", "-o", tmp_path / "t")
    assert run(tmp_path / "t") == b"refused 70011\n"


def test_cmake(tmp_path):
    need("cmake")
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.10)\nproject(p C)\nadd_executable(p p.c)\n")
    (tmp_path / "p.c").write_text("int main(void) { return 0; }")
    run("cmake", "-S", tmp_path, "-B", tmp_path / "b")
    run("cmake", "--build", tmp_path / "b")
    run(tmp_path / "b" / "p")


@pytest.mark.parametrize("tool", ["xz", "zstd"])
def test_compression_with_threads(tool, tmp_path):
    need(tool)
    text = b"".join(path.read_bytes() for path in (ROOT / "core").rglob("*.[ch]")) * 20
    packed = run(tool, "-T2", "-1", "-c", "-q", input=text)
    assert len(packed) < len(text) / 3
    assert run(tool, "-d", "-c", "-q", input=packed) == text


def test_openssl():
    need("openssl")
    run("openssl", "speed", "-seconds", "1", "sha256")


# ------------------------------------------------------------------ databases and servers


def test_sqlite():
    need("sqlite3")
    same("sqlite3", ":memory:", """
    create table t(a integer primary key, b text, c real);
    with recursive n(x) as (select 1 union all select x + 1 from n where x < 100000)
        insert into t select x, printf('%0*d', x % 200, x), x / 7.0 from n;
    create index i on t(b); analyze;
    delete from t where a % 3 = 0; update t set b = b || b where a % 5 = 0; vacuum;
    select count(*), sum(length(b)), max(c), group_concat(distinct a % 7) from t;
    pragma integrity_check;
    """)


EVAL = """
local n = 0
for i = 1, 200 do
    local row = cjson.decode(cjson.encode({id = i, text = string.rep('x', i)}))
    redis.call('HSET', KEYS[1] .. i % 50, i, row.text)
    n = n + #row.text
end
return n
"""


def test_redis_with_lua(tmp_path):
    need("redis-server", "redis-benchmark", "redis-cli")
    port = free_port()
    with server("redis-server", "--port", port, "--save", "", "--dir", tmp_path, port=port):
        def ask(*command):
            told = subprocess.run(["redis-cli", "-p", str(port), *command], capture_output=True, text=True)
            return told.stdout.strip()

        subprocess.run(
            ["redis-benchmark", "-p", str(port), "-q", "-n", "20000", "-t", "set,get,lpush,hset,zadd", "-r", "5000",
             "-d", "200"], check=True, capture_output=True, timeout=SECONDS,
        )
        for _ in range(100):
            assert ask("EVAL", EVAL, "1", "k") == "20100"
        assert ask("HLEN", "k7") == "4"
        assert ask("FLUSHALL") == "OK" and ask("DBSIZE") == "0"


def test_nginx_under_load(tmp_path):
    need("nginx", "wrk")
    port = free_port()
    (tmp_path / "logs").mkdir()
    (tmp_path / "index.html").write_text("x" * 3000)
    (tmp_path / "nginx.conf").write_text(f"""
    daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; worker_processes 2;
    events {{ worker_connections 200; }}
    http {{ access_log off; gzip on; gzip_min_length 1; gzip_types text/html;
        client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
        uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
        server {{ listen 127.0.0.1:{port}; root {tmp_path}; }} }}
    """)
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(0o755)
    with server("nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "error.log", port=port):
        told = subprocess.run(
            ["wrk", "-t2", "-c20", "-d2", "-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{port}/"],
            capture_output=True, text=True, timeout=SECONDS, check=True,
        ).stdout
        assert "Requests/sec" in told and "Non-2xx" not in told, told
    assert "signal" not in (tmp_path / "error.log").read_text()


def postgres_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found else None


@pytest.mark.skipif(not postgres_programs(), reason="postgresql is missing: `make deps` installs it")
def test_postgres(tmp_path):
    port, programs = free_port(), postgres_programs()
    data, nobody = tmp_path / "data", {}
    if os.geteuid() == 0:  # postgres refuses root
        for folder in [tmp_path, *tmp_path.parents][:4]:
            folder.chmod(0o755)
        data.mkdir()
        shutil.chown(data, "nobody")
        nobody = dict(user="nobody", group="nogroup")
    run(programs / "initdb", "-D", data, "-U", "p", "-A", "trust", "-N", cwd=data, **nobody)
    arguments = ["-D", data, "-p", port, "-c", f"unix_socket_directories={data}", "-c", "fsync=off"]
    with server(programs / "postgres", *arguments, port=port, cwd=data, **nobody):
        bench = [programs / "pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "p"]
        run(*bench, "-i", "-s", "2", "-q", "postgres")
        told = run(*bench, "-c", "4", "-j", "2", "-T", "2", "postgres")
        assert b"number of failed transactions: 0 " in told
