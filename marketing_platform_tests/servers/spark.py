"""Spark as people run it: jobs launched by Dagster steps, on this machine or a master with two workers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.request import urlopen

import dagster as dg

from marketing_platform.stores.spark_settings import SparkSettings
from marketing_platform_tests.servers.base import Running, free_port, started

_HOST = "127.0.0.1"
_T = TypeVar("_T")


def settings(**changed: object) -> SparkSettings:
    """Small pieces for small data: each costs a task."""
    given: dict[str, object] = {"master": "local[2]", "partitions": 2, "driver_host": _HOST}
    return SparkSettings.model_validate({**given, **changed})


def in_a_step(work: Callable[[], _T]) -> tuple[_T, dg.ExecuteInProcessResult]:
    """What `work` returns when a step of a Dagster run calls it, as assets launch their jobs; and the run."""
    found: list[_T] = []

    @dg.asset
    def step() -> None:
        found.append(work())

    run = dg.materialize([step])
    return found[0], run


@dataclass(frozen=True)
class Cluster:
    """A master and its workers, processes of their own."""

    master: Running
    workers: tuple[Running, ...]


@contextmanager
def cluster(*, workers: int = 2) -> Generator[Cluster]:
    """A standalone cluster whose workers have a core and half a gigabyte each."""
    with TemporaryDirectory(prefix="marketing-spark-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        port, page = free_port(), free_port()
        endpoint = f"spark://{_HOST}:{port}"
        command = ["--host", _HOST, "--port", str(port), "--webui-port", str(page)]
        master = stack.enter_context(
            _daemon("master.Master", command, endpoint, folder, lambda: _alive(page) >= 0)
        )
        running = [
            stack.enter_context(
                _daemon(
                    "worker.Worker",
                    [
                        "--host",
                        _HOST,
                        "--webui-port",
                        str(free_port()),
                        "--cores",
                        "1",
                        "--memory",
                        "512m",
                        endpoint,
                    ],
                    endpoint,
                    folder,
                    lambda number=number: _alive(page) == number,
                )
            )
            for number in range(1, workers + 1)
        ]
        yield Cluster(master, tuple(running))


@contextmanager
def _daemon(
    name: str, arguments: list[str], endpoint: str, folder: Path, answers: Callable[[], bool]
) -> Generator[Running]:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    environment = {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": _HOST,
        # Executors inherit it: what a cluster has installed, it has here from this process.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = ["java", "-Xmx256m", "-cp", f"{home}/jars/*", f"org.apache.spark.deploy.{name}", *arguments]
    at = folder / f"{name}-{free_port()}"
    if name.startswith("worker"):
        command[-1:-1] = ["--work-dir", str(at / "work")]
    with started(command, endpoint=endpoint, folder=at, answers=answers, environment=environment) as server:
        yield server


def _alive(page: int) -> int:
    """How many workers the master knows to be alive."""
    with urlopen(f"http://{_HOST}:{page}/json/", timeout=5) as answer:
        return int(json.load(answer)["aliveworkers"])
