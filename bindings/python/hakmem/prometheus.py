"""A collector for prometheus_client, where that package is installed."""

from . import _hakmem, stats


class Collector:
    """Reads the heap's statistics whenever metrics are collected."""

    def collect(self):
        """Yields one metric family for each number, and one for the OS calls."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        snapshot = stats()
        for name, unit, help in _hakmem.fields():
            family = CounterMetricFamily if unit == "events" else GaugeMetricFamily
            yield family(f"hakmem_{name}", help, value=snapshot[name], unit=unit)
        calls = CounterMetricFamily(
            "hakmem_os_calls",
            "Calls to the OS for memory, by kind.",
            labels=["call"],
            unit="calls",
        )
        for kind, count in snapshot["os_calls"].items():
            if kind not in ("failed", "total"):
                calls.add_metric([kind], count)
        yield calls


def register(registry=None):
    """Registers a collector with `registry`, by default prometheus_client's own.

    Returns the collector, for registry.unregister. ImportError where
    prometheus_client is missing.
    """
    from prometheus_client.core import REGISTRY

    collector = Collector()
    (registry or REGISTRY).register(collector)
    return collector
