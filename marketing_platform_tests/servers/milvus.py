"""`milvus-lite server`: Milvus' gRPC interface for several clients, from a package that is here anyway."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pymilvus import MilvusClient

from marketing_platform.stores.milvus_settings import MilvusSettings
from marketing_platform_tests.servers.base import Running, free_port, started


@contextmanager
def running(folder: Path | None = None, port: int | None = None) -> Generator[Running]:
    """A server without authentication; give folder and port to start an older one again."""
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="marketing-milvus-") as temporary:
        home = folder or Path(temporary)
        command = [
            *(str(Path(sys.executable).with_name("milvus-lite")), "server"),
            *("--data-dir", str(home / "data"), "--host", "127.0.0.1", "--port", str(port)),
        ]
        endpoint = f"127.0.0.1:{port}"
        with started(command, endpoint=endpoint, folder=home, answers=lambda: _answers(endpoint)) as server:
            yield server


def settings(endpoint: str, **changed: object) -> MilvusSettings:
    """Settings for a server of this module."""
    host, port = endpoint.split(":")
    return MilvusSettings.model_validate({"host": host, "port": int(port), "tls": False, **changed})


def emptied(given: MilvusSettings) -> MilvusSettings:
    """The same settings, once everything in the database is gone."""
    client = MilvusClient(**given.connection(), dedicated=True)
    for alias in client.list_aliases()["aliases"]:
        client.drop_alias(alias)
    for collection in client.list_collections():
        client.drop_collection(collection)
    client.close()
    return given


def _answers(endpoint: str) -> bool:
    # A connection of its own: a shared one would mend those of the process that is tested.
    alone = {"grpc.use_local_subchannel_pool": 1}
    client = MilvusClient(f"http://{endpoint}", timeout=2, dedicated=True, grpc_options=alone)
    try:
        return bool(client.get_server_version(timeout=2))
    finally:
        client.close()
