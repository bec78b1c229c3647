"""What the consumer did as Prometheus metrics, collected when asked for from its `Progress`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from marketing_platform.ingestion.streaming import Progress

_PREFIX = "marketing_stream"
_COUNTERS = {
    "messages": "Messages landed, dead letters included.",
    "bytes": "Bytes landed.",
    "batches": "Objects landed.",
    "dead_letters": "Messages that are no JSON object; they end in quarantine.",
    "lost": "Offsets that were removed from the stream before they landed.",
    "collisions": "Batches that another consumer had landed first; read again, not doubled.",
}


class ProgressCollector(Collector):
    """The figures of one consumer."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Counters, whether reading pauses, and the lag of each partition that is ours."""
        for name, meaning in _COUNTERS.items():
            yield CounterMetricFamily(f"{_PREFIX}_{name}", meaning, value=getattr(self._progress, name))
        paused = float(self._progress.paused)
        yield GaugeMetricFamily(f"{_PREFIX}_paused", "1 while too much waits to be judged.", value=paused)
        waiting = self._progress.waiting
        yield GaugeMetricFamily(f"{_PREFIX}_waiting", "Landed objects that wait to be judged.", value=waiting)
        lag = GaugeMetricFamily(
            f"{_PREFIX}_lag", "Messages that have not landed.", labels=["topic", "partition"]
        )
        for partition, messages in list(self._progress.lag.items()):
            lag.add_metric([partition.topic, str(partition.number)], messages)
        yield lag


def serve_metrics(progress: Progress, *, host: str, port: int) -> Callable[[], Any]:
    """Answer scrapes on `http://host:port/metrics` in a thread; returns what ends that."""
    registry = CollectorRegistry()
    registry.register(ProgressCollector(progress))
    server, _ = start_http_server(port, host, registry)
    return server.shutdown
