from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

class Collector:
    def __init__(self, labels: dict[str, str | int] | None = ...) -> None: ...
    def collect(self) -> Iterator[Metric]: ...

# The collector, as Any: what registry.unregister takes is an abstract class of prometheus_client.
def register(
    registry: CollectorRegistry | None = ..., labels: dict[str, str | int] | None = ...
) -> Any: ...
