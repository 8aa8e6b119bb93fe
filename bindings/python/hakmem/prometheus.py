"""A collector for prometheus_client, where that package is installed."""

import hakmem

from . import _openmetrics


class Collector:
    """Reads the heap's statistics whenever metrics are collected.

    labels: for every sample, a dict such as {"worker": "3"}. ValueError for a name
        that cannot be one, TypeError for what is no dict of text.
    """

    def __init__(self, labels=None):
        self._labels = _openmetrics.check_labels(labels)

    def collect(self):
        """Yields the metric families that hakmem.openmetrics() writes. In any thread."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            InfoMetricFamily,
        )

        ours = self._labels
        for name, kind, unit, help, samples in _openmetrics.families(*hakmem._metrics()):
            if kind == "info":
                family = InfoMetricFamily(name, help, labels=list(ours))
                for own, _ in samples:
                    family.add_metric(list(ours.values()), own)
            else:
                names = [*ours, *(samples[0][0] if samples else ())]
                make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                family = make(name, help, labels=names, unit=unit)
                for own, number in samples:
                    family.add_metric([*ours.values(), *own.values()], number)
            yield family


def register(registry=None, labels=None):
    """Registers a collector with `registry`, by default prometheus_client's own.

    labels: for every sample, a dict such as {"worker": "3"}, so that workers can be
        told apart.

    Returns the collector, for registry.unregister. Where hakmem is not installed,
    its numbers are 0, hakmem_installed too; once it is, they follow. ImportError
    where prometheus_client is missing, ValueError or TypeError for labels that
    cannot be, ValueError too where one is registered already. In any thread.
    """
    try:
        from prometheus_client.core import REGISTRY
    except ImportError as error:
        raise ImportError(
            "hakmem.prometheus needs the package prometheus_client"
            f" (on PyPI: prometheus-client): {error}",
            name=error.name,
        ) from error

    collector = Collector(labels)
    hakmem._metrics()  # so that what can fail fails here, and not in the server that is asked
    (REGISTRY if registry is None else registry).register(collector)
    return collector
