"""openmetrics() and the collector, read by prometheus_client's parser and through its registry."""

import pytest

# The statistics stand still, so that values can be compared; `flat` is {sample: value} of them as
# the parser and the registry should see them.
STILL = """
import hakmem
hakmem.install(limit=1 << 30)
kept = [[i] * (i % 3000) for i in range(1000)]
snapshot, process = hakmem.stats(), hakmem.process_stats()
hakmem.stats, hakmem.process_stats = lambda: snapshot, lambda: process

def number(name, unit):
    if unit == "events": return f"hakmem_{name}_total"
    return f"hakmem_{name}" + ("_bytes" if unit == "bytes" and "bytes" not in name else "")
flat = {(number(name, unit), ()): snapshot[name] for name, unit, _ in hakmem._hakmem.fields()}
flat.update({
    (number("process_" + name, unit), ()): process[name]
    for name, unit, _ in hakmem._hakmem.process_fields()
})
flat["hakmem_fragmentation_ratio", ()] = snapshot["fragmentation"]
for call in "mmap", "mprotect", "madvise", "mremap", "munmap":
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
    found = [(s.name, tuple(s.labels.items()), s.value) for f in families for s in f.samples]
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
    assert family.type in ("counter", "gauge") and family.documentation.endswith(".")
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
        from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
        for registry in None, CollectorRegistry():
            try:
                hakmem.prometheus.register(registry)
            except RuntimeError as error:
                assert "install() first" in str(error)
            else:
                raise SystemExit("registered without a heap")
        hakmem.install()
        collector = hakmem.prometheus.register()
        assert b"hakmem_live_bytes" in generate_latest()
        hakmem.uninstall()
        assert b"hakmem_live_bytes" in generate_latest()
        REGISTRY.unregister(collector)
        assert b"hakmem_" not in generate_latest()
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
        assert hakmem.profile() == "speed" and hakmem.limit(1 << 30) == 1 << 30
        """
    )
