"""openmetrics() and the collector, read by prometheus_client's parser and through its registry."""

import pytest

# The statistics stand still, so that values can be compared; `flat` is {sample: value} of them as
# the parser and the registry should see them.
STILL = """
import hakmem
hakmem.install(limit=1 << 30)
kept = [[i] * (i % 3000) for i in range(1000)]
snapshot, process, threads = hakmem.stats(), hakmem.process_stats(), hakmem.thread_stats()
hakmem.stats, hakmem.process_stats = lambda: snapshot, lambda: process
hakmem.thread_stats = lambda: threads

def number(name, unit):
    if unit == "events": return f"hakmem_{name}_total"
    return f"hakmem_{name}" + ("_bytes" if unit == "bytes" and "bytes" not in name else "")
flat = {(number(name, unit), ()): snapshot[name] for name, unit, _ in hakmem._hakmem.fields()}
flat.update({
    (number("process_" + name, unit), ()): process[name]
    for name, unit, _ in hakmem._hakmem.process_fields()
})
flat.update({
    (number("thread_" + name, unit), ()): threads[name]
    for name, unit, _ in hakmem._hakmem.thread_fields()
})
about = {"version": hakmem.version, "build": hakmem.build, "profile": hakmem.profile()}
flat["hakmem_info", tuple(sorted(about.items()))] = 1
flat["hakmem_installed", ()] = 1
flat["hakmem_fragmentation_ratio", ()] = snapshot["fragmentation"]
for call in "mmap", "madvise", "mremap", "munmap":
    flat["hakmem_os_calls_total", (("call", call),)] = snapshot["os_calls"][call]
flat["hakmem_os_failures_total", ()] = snapshot["os_calls"]["failed"]
for entry in snapshot["classes"]:
    size = (("size", str(entry["size"])),)
    flat["hakmem_class_live_blocks", size] = entry["live"]
    flat["hakmem_class_slabs", size] = entry["slabs"]
    flat["hakmem_class_footprint_bytes", size] = entry["footprint"]
assert len(flat) > 100
assert flat["hakmem_live_blocks", ()] >= 1000 and flat["hakmem_limit_bytes", ()] == 1 << 30

def samples(families):
    found = [(s.name, tuple(sorted(s.labels.items())), s.value) for f in families for s in f.samples]
    assert len({(name, labels) for name, labels, _ in found}) == len(found)
    return {(name, labels): value for name, labels, value in found}
"""


@pytest.fixture
def python_with_client(python, system_python):
    if python.run("-c", "import prometheus_client", status=None).returncode:
        # Debian: python3-prometheus-client
        assert python.program != system_python.program, "prometheus_client is missing"
        pytest.skip("prometheus_client is not installed for this interpreter")
    return python


def test_the_text_is_openmetrics(python_with_client):
    python_with_client.code(STILL + """
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
text = hakmem.openmetrics()
families = list(parse(text))
assert samples(families) == flat
for family in families:
    assert family.type in ("counter", "gauge", "info") and family.documentation.endswith(".")
    last = family.name.rpartition("_")[2]
    assert family.unit == (last if last in ("bytes", "ratio") else ""), family
counters = {f.name for f in families if f.type == "counter"}
assert {"hakmem_refills", "hakmem_retires", "hakmem_purges", "hakmem_refusals", "hakmem_os_calls",
        "hakmem_os_failures", "hakmem_process_page_faults"} <= counters, counters
assert text.endswith("\\n# EOF\\n") and text.count("# EOF") == 1

# It is a parser that refuses.
for broken in text[:-6], text.replace("_total", ""), text.replace("_bytes bytes", "_bytes s"):
    try:
        list(parse(broken))
    except ValueError:
        continue
    raise SystemExit("accepted")
""")


def test_the_text_follows_the_heap(python):
    python.code("""
        import hakmem
        hakmem.install()
        def read():
            lines = [line for line in hakmem.openmetrics().splitlines() if line[0] != "#"]
            return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
        before = read()
        kept = [bytes(1000) for _ in range(10000)]
        after = read()
        assert after["hakmem_live_bytes"] - before["hakmem_live_bytes"] > 10_000_000
        assert after["hakmem_refills_total"] > before["hakmem_refills_total"]
        name = 'hakmem_class_live_blocks{size="1152"}'
        assert 10000 <= after[name] - before.get(name, 0) < 10100
        """)


def test_the_collector_is_scraped(python_with_client):
    python_with_client.code(STILL + """
import hakmem.prometheus
from prometheus_client import CollectorRegistry, generate_latest, openmetrics
import prometheus_client.openmetrics.exposition, prometheus_client.openmetrics.parser
import prometheus_client.parser
registry = CollectorRegistry(auto_describe=True)
collector = hakmem.prometheus.register(registry)

text = openmetrics.exposition.generate_latest(registry).decode()
parsed = list(openmetrics.parser.text_string_to_metric_families(text))
assert samples(parsed) == flat
ours = list(openmetrics.parser.text_string_to_metric_families(hakmem.openmetrics()))
assert parsed == ours, "the collector and openmetrics() differ"

text = generate_latest(registry).decode()
assert samples(prometheus_client.parser.text_string_to_metric_families(text)) == flat
assert registry.get_sample_value("hakmem_live_bytes") == snapshot["live_bytes"]

try:
    hakmem.prometheus.register(registry)
except ValueError as error:
    assert "hakmem_live_bytes" in str(error)
else:
    raise SystemExit("registered twice")

registry.unregister(collector)
assert generate_latest(registry) == b""
hakmem.prometheus.register(registry)
""")


def test_the_default_registry(python_with_client):
    python_with_client.code("""
        import hakmem, hakmem.prometheus
        from prometheus_client import REGISTRY, generate_latest
        hakmem.install()
        collector = hakmem.prometheus.register()
        assert b"hakmem_live_bytes" in generate_latest()
        hakmem.uninstall()
        assert b"hakmem_live_bytes" in generate_latest()
        assert REGISTRY.get_sample_value("hakmem_installed") == 0
        REGISTRY.unregister(collector)
        assert b"hakmem_" not in generate_latest()
        """)


def test_what_observes_works_where_hakmem_is_not_installed(python):
    """A service whose switch is off starts, and its metrics say so."""
    python.code("""
        import json
        import hakmem
        for profile in "speed", "balanced", "lean":
            if hakmem.profile() == profile: break
        else: raise SystemExit(hakmem.profile())
        assert hakmem.limit() == hakmem.trim() == 0 and not hakmem.observing()
        assert hakmem.heap_name() == "python" and hakmem.installed() == ()
        empty = hakmem.stats()
        about = [empty.pop(name) for name in ("version", "name", "profile")]
        assert about == [hakmem.version, "python", profile]
        assert all(not value for name, value in empty.items() if name != "os_calls"), empty
        empty = hakmem.stats()
        told, text = json.loads(hakmem.stats_json()), hakmem.openmetrics()
        assert "hakmem_installed 0" in text and "hakmem_live_bytes 0" in text
        about = f'version="{hakmem.version}",build="{hakmem.build}",profile="{profile}"'
        assert "hakmem_info{" + about + "} 1" in text
        for call in (
            "limit(1 << 30)", "limit(0)", "profile('lean')", "configure(wake=5)", "prewarm(4096)",
            "observe()", "observations()", "using_profile('lean').__enter__()",
        ):
            try: eval("hakmem." + call)
            except RuntimeError as error: assert "install() first" in str(error), error
            else: raise SystemExit(call)

        hakmem.install()
        assert hakmem.profile() == profile
        assert list(hakmem.stats()) == list(empty)
        assert list(json.loads(hakmem.stats_json())) == list(told)
        text = hakmem.openmetrics()
        assert "hakmem_installed 1" in text and "hakmem_live_bytes 0" not in text
        hakmem.profile("lean")
        assert 'profile="lean"} 1' in hakmem.openmetrics()
        """)


def test_the_collector_waits_for_hakmem(python_with_client):
    python_with_client.code("""
        import hakmem, hakmem.prometheus
        from prometheus_client import CollectorRegistry
        from prometheus_client.openmetrics.exposition import generate_latest
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
        registry = CollectorRegistry(auto_describe=True)
        hakmem.prometheus.register(registry)
        def read(): return {f.name: f for f in parse(generate_latest(registry).decode())}
        before = read()
        ours = {f.name: f for f in parse(hakmem.openmetrics())}
        assert set(before) == set(ours) and before["hakmem"] == ours["hakmem"]
        assert registry.get_sample_value("hakmem_installed") == 0
        assert registry.get_sample_value("hakmem_footprint_bytes") == 0
        assert not before["hakmem_class_slabs"].samples
        hakmem.install()
        assert registry.get_sample_value("hakmem_installed") == 1
        assert registry.get_sample_value("hakmem_footprint_bytes") > 0
        assert set(read()) == set(before)
        """)


def test_a_worker_has_a_label(python_with_client):
    python_with_client.code(STILL + """
import hakmem.prometheus
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
worker = 'three "3"\\\n'
labels = {"worker": worker, "host_1": 7}
registry = CollectorRegistry(auto_describe=True)
hakmem.prometheus.register(registry, labels=labels)
ours = list(parse(hakmem.openmetrics(labels)))
assert ours == list(parse(generate_latest(registry).decode()))
def labelled(labels): return tuple(sorted({**dict(labels), "worker": worker, "host_1": "7"}.items()))
assert samples(ours) == {(name, labelled(own)): value for (name, own), value in flat.items()}
assert registry.get_sample_value("hakmem_installed", {"worker": worker, "host_1": "7"}) == 1

for labels, kind, text in (
    ({"a-b": "x"}, ValueError, "cannot be named 'a-b'"),
    ({"": "x"}, ValueError, "cannot be named ''"),
    ({"1a": "x"}, ValueError, "no digit first"),
    ({"__a": "x"}, ValueError, "not __"),
    ({"\u00e4": "x"}, ValueError, "accepted are letters"),
    ({3: "x"}, ValueError, "cannot be named 3"),
    ({"size": "x"}, ValueError, "hakmem's own are build, call, profile, size, version"),
    ({"a": None}, TypeError, "label 'a' must be a str or an int, not NoneType"),
    ("worker", TypeError, "labels must be a dict of names and values, not str"),
):
    for call in hakmem.openmetrics, hakmem.prometheus.Collector:
        try: call(labels)
        except kind as error: assert text in str(error) and len(str(error).splitlines()) == 1
        else: raise SystemExit(labels)
""")


def test_a_missing_client_is_said(python):
    python.code("""
        import sys
        sys.modules["prometheus_client"] = None
        import hakmem, hakmem.prometheus
        hakmem.install()
        try:
            hakmem.prometheus.register()
        except ImportError as error:
            assert "needs the package prometheus_client" in str(error), error
        else:
            raise SystemExit("no error")
        """)


def test_statistics_and_trim_go_on_after_uninstalling(python):
    python.code(
        """
        import hakmem
        hakmem.install()
        kept = [str(i) for i in range(100000)]
        hakmem.uninstall()
        assert hakmem.installed() == ()
        assert hakmem.stats()["live_blocks"] >= 100000
        del kept
        assert hakmem.trim() > 1 << 20
        assert "hakmem_live_bytes " in hakmem.openmetrics()
        assert hakmem.profile() == "balanced" and hakmem.limit(1 << 30) == 1 << 30
        """
    )
