from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

class Collector:
    def collect(self) -> Iterator[Metric]: ...

# The collector, as Any: what registry.unregister takes is an abstract class of prometheus_client.
def register(registry: CollectorRegistry | None = ...) -> Any: ...
