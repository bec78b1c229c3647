"""The figures of all workers as one text for Prometheus.

One process answers from what it counted. Several share a folder, in which prometheus-client keeps each
worker's figures in memory-mapped files, and whichever is asked adds them up. The folder is named by an
environment variable that prometheus-client reads when it is imported, so `shared_by_workers` belongs into the
process that starts them.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_RELEASE_INFO = "marketing_api_release_info"
_OF_PROCESS = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


@contextmanager
def shared_by_workers() -> Generator[None]:
    """While the block starts workers and waits for them, they share their figures, from nothing on."""
    with tempfile.TemporaryDirectory(prefix="marketing-metrics-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            os.environ.pop(_FOLDER, None)


def render(accept: str) -> tuple[bytes, str]:
    """What is counted so far, and its content type: OpenMetrics for those who accept it, else plain text.

    Takes milliseconds, and reads files where there are several workers: not for the event loop.
    """
    encode, content_type = choose_encoder(accept)
    folder = os.environ.get(_FOLDER)
    return encode(_of_workers(Path(folder)) if folder else _of_this_process()), content_type


def _of_this_process() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Once(REGISTRY))
    return registry


def _of_workers(folder: Path) -> CollectorRegistry:
    workers = {int(found[1]) for file in folder.iterdir() if (found := _OF_PROCESS.fullmatch(file.name))}
    alive = {pid for pid in workers if _alive(pid)}
    for pid in workers - alive:
        mark_process_dead(pid, str(folder))
    registry = CollectorRegistry()
    registry.register(_Once(MultiProcessCollector(None, str(folder))))
    registry.register(_Processes(sorted(alive)))
    return registry


class _Once(Collector):
    """Leaves out releases that no worker serves any more, which prometheus-client cannot forget by itself."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterable[Metric]:
        """Every figure."""
        for metric in self._collector.collect():
            if metric.name == _RELEASE_INFO:
                metric.samples = [sample for sample in metric.samples if sample.value > 0]
            yield metric


class _Processes(Collector):
    """Memory, processor time and files of each worker, which shared figures leave out."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        """The figures of `ProcessCollector`, with the worker as a label."""
        families: dict[str, Metric] = {}
        for pid in self._pids:
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():
                family = families.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                for sample in metric.samples:
                    family.add_sample(sample.name, {**sample.labels, "pid": str(pid)}, sample.value)
        return families.values()


def _alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
