"""A collector for prometheus_client, where that package is installed."""

import hakmem

from . import _openmetrics


class Collector:
    """Reads the heap's statistics whenever metrics are collected."""

    def collect(self):
        """Yields the metric families that hakmem.openmetrics() writes."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, kind, unit, help, label, samples in _openmetrics.families(*hakmem._metrics()):
            make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
            family = make(name, help, labels=[label] if label else [], unit=unit)
            for value, number in samples:
                family.add_metric([value] if label else [], number)
            yield family


def register(registry=None):
    """Registers a collector with `registry`, by default prometheus_client's own.

    Returns the collector, for registry.unregister. ImportError where
    prometheus_client is missing, RuntimeError before hakmem.install().
    """
    try:
        from prometheus_client.core import REGISTRY
    except ImportError as error:
        raise ImportError(
            "hakmem.prometheus needs the package prometheus_client"
            f" (on PyPI: prometheus-client): {error}",
            name=error.name,
        ) from error

    hakmem.stats()  # so that what can fail fails here, and not in the server that is asked
    collector = Collector()
    (REGISTRY if registry is None else registry).register(collector)
    return collector
