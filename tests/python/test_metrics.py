"""The statistics as metrics: OpenMetrics text, and a collector for prometheus_client."""

import pytest

PARSE = """
import hakmem
hakmem.install()
kept = [str(i) for i in range(10000)]
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
from prometheus_client.registry import CollectorRegistry
def families(text):
    return {f.name: (f.type, f.unit, f.documentation) for f in parse(text)}
"""


def test_the_text_has_every_statistic_with_its_unit(python):
    python.code(
        """
        import hakmem
        hakmem.install()
        kept = [str(i) for i in range(10000)]
        text = hakmem.openmetrics()
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        assert text.endswith("\\n# EOF\\n")
        assert 10000 < int(values["hakmem_live_blocks"]) < 200000
        for name, value in hakmem.stats().items():
            if name in ("os_calls", "classes"): continue
            found = [key for key in values if key.startswith(f"hakmem_{name}")]
            assert found, name
        calls = {f'hakmem_os_calls_total{{call="{kind}"}}' for kind in ("mmap", "madvise")}
        assert calls <= values.keys()
        """
    )


def test_the_collector_has_the_families_of_the_text(python):
    if python.run("-c", "import prometheus_client", status=None).returncode:
        pytest.skip("this CPython has no prometheus_client")
    python.code(
        PARSE
        + """
from hakmem import prometheus
registry = CollectorRegistry()
collector = prometheus.register(registry)
ours = families(hakmem.openmetrics())
theirs = families(generate_latest(registry).decode())
assert theirs and theirs.items() <= ours.items(), theirs.items() - ours.items()
assert {name for name in ours.keys() - theirs.keys() if "_class_" not in name} == set()
registry.unregister(collector)
assert families(generate_latest(registry).decode()) == {}
"""
    )


def test_the_collector_needs_an_installed_heap(python):
    if python.run("-c", "import prometheus_client", status=None).returncode:
        pytest.skip("this CPython has no prometheus_client")
    python.code(
        """
        from hakmem import prometheus
        try:
            prometheus.register()
        except RuntimeError as error:
            assert "call hakmem.install() first" in str(error)
        else:
            raise SystemExit("no error")
        """
    )


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
