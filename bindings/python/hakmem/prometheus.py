"""A collector for the package prometheus_client, if that is installed."""

import hakmem

from . import _openmetrics


class Collector:
    """Reads the heap's statistics whenever metrics are collected.

    labels: a dict for every sample, such as {"worker": "3"}. Raises ValueError for a
        name that is not accepted, TypeError if labels is not a dict of text.
    """

    def __init__(self, labels=None):
        self._labels = _openmetrics.check_labels(labels)

    def collect(self):
        """Yields the metric families of hakmem.openmetrics(). Any thread may call it."""
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

    labels: a dict for every sample, such as {"worker": "3"}, to distinguish workers.

    Returns the collector, for registry.unregister. While hakmem is not installed,
    its numbers and hakmem_installed are 0. Any thread may call it.

    Raises ImportError if prometheus_client is missing, ValueError if a collector is
    registered already, ValueError or TypeError for labels that are not accepted.
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
    hakmem._metrics()  # an error is raised here, not later in the metrics server
    (REGISTRY if registry is None else registry).register(collector)
    return collector
