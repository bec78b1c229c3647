"""Starts every server once and ends it, installing what is missing.

`python -m marketing_platform_tests.servers` runs before the tests, so that a long installation is seen,
happens once and not in each of pytest's processes, and a server that does not start is known at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from marketing_platform_tests.servers import (
    bigquery,
    chromium,
    gcs,
    kafka,
    milvus,
    mongo,
    n8n,
    neo4j,
    postgres,
    redis,
    spark,
)
from marketing_platform_tests.servers.base import CACHE

_SERVERS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "PostgreSQL": postgres.running,
    "Redis": redis.running,
    "MongoDB": mongo.running,
    "Neo4j": neo4j.running,
    "Milvus": milvus.running,
    "Cloud Storage": gcs.running,
    "BigQuery": bigquery.running,
    "Kafka": kafka.running,
    "Spark": spark.cluster,
}


def main() -> None:
    """Start one after the other."""
    print(f"servers are installed in {CACHE} and by the package manager")  # noqa: T201
    for name, running in _SERVERS.items():
        print(f"{name} …", end=" ", flush=True)  # noqa: T201
        began = time.monotonic()
        with running():
            print(f"up after {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    n8n.installed()  # its tests start it, with their workflows
    chromium.installed()


if __name__ == "__main__":
    main()
