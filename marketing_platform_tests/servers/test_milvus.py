"""What is special to Milvus as a server: its indexes and their recall, what is left over, and faults."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pyarrow as pa
import pytest
from pymilvus import MilvusClient
from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceServicer, add_MilvusServiceServicer_to_server

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.milvus_settings import MilvusSettings
from marketing_platform.stores.vector_recall import recall, recall_of
from marketing_platform.stores.vectors_milvus import MilvusVectors
from marketing_platform_tests.servers import milvus
from marketing_platform_tests.servers.base import end, free_port
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import slow_network
from marketing_platform_tests.stores.test_vectors_contract import DIM, axis, records

NAME = "message_embeddings_3f9ac21b"


@pytest.fixture
def settings() -> MilvusSettings:
    return milvus.emptied(milvus.settings(shared(milvus.running).endpoint))


def sentences(rows: int, dim: int) -> pa.Table:
    """Vectors like those of sentences: of 77 topics, with far fewer directions than numbers."""
    random = np.random.default_rng(7)
    directions = random.normal(size=(24, dim))
    topics = random.normal(size=(77, 24))
    vectors = (topics[random.integers(0, 77, rows)] + 0.7 * random.normal(size=(rows, 24))) @ directions
    vectors += 0.3 * random.normal(size=vectors.shape)
    return pa.table(
        {
            "record_id": [f"r{row}" for row in range(rows)],
            "user_id": [f"u{row % 100}" for row in range(rows)],
            "text_embedding": pa.FixedSizeListArray.from_arrays(
                pa.array(vectors.reshape(-1), pa.float32()), dim
            ),
        }
    )


@pytest.mark.parametrize(("index_from_rows", "index"), [(4_000, "HNSW"), (4_001, "FLAT")])
def test_the_index_is_chosen_by_size_and_recall_is_high(
    settings: MilvusSettings, index_from_rows: int, index: str
):
    store = MilvusVectors(settings.model_copy(update={"index_from_rows": index_from_rows}))
    rows = sentences(4_000, 96)
    store.write(NAME, [rows], dim=96)
    client = MilvusClient(**settings.connection(), dedicated=True)
    collection = client.describe_alias(NAME)["collection_name"]
    assert client.describe_index(collection, "text_embedding")["index_type"] == index
    client.close()
    queries = np.array(rows["text_embedding"].to_pylist()[::80], np.float32) + np.float32(0.05)
    reader = store.open(NAME)
    found = recall(reader, queries, [rows.slice(0, 1500), rows.slice(1500)], limit=10)
    assert 0.99 <= found <= 1
    measured = recall_of(store, NAME, lambda: [rows.slice(0, 1500), rows.slice(1500)])
    assert measured.share >= 0.99
    assert store.exact(NAME) == (index == "FLAT") == measured.how.startswith("exact by design")
    assert recall(reader, queries, [rows.slice(0, 1), rows], limit=10) < 1  # the first row, twice as near
    reader.close()


def test_what_nobody_sees_any_more_is_removed(settings: MilvusSettings):
    store = MilvusVectors(settings.model_copy(update={"keep_dropped_seconds": 0.0}))
    client = MilvusClient(**settings.connection(), dedicated=True)
    client.create_collection("somebody_elses", dimension=4)
    client.create_collection("v_1__w1000000000_0123456789ab", dimension=4)  # its writer died long ago
    client.create_collection(f"v_1__w{int(time.time())}_0123456789ab", dimension=4)  # at work
    store.write("v_1", [records([0])], dim=DIM)
    store.write("v_1", [records([1])], dim=DIM)
    store.write("v_2", [records([2])], dim=DIM)
    store.drop("v_1")
    left = sorted(client.list_collections())
    assert [name.split("__w")[0] for name in left] == ["somebody_elses", "v_1", "v_2"]
    assert store.names() == ["v_2"]
    client.close()


def test_names_that_milvus_cannot_keep_are_refused(settings: MilvusSettings):
    store = MilvusVectors(settings)
    for name in ("1st", "a-b", "a b", "", "_dropped_1_0123456789ab"):
        with pytest.raises(ValueError, match="not a name"):
            store.write(name, [], dim=DIM)


def test_wide_vectors_fit_into_a_call(settings: MilvusSettings):
    store = MilvusVectors(settings)
    assert store.write(NAME, [sentences(2_000, 1536)], dim=1536) == 2_000


def test_a_slow_network_is_waited_for_until_the_deadline(settings: MilvusSettings):
    MilvusVectors(settings).write(NAME, [records([0])], dim=DIM)
    with slow_network("127.0.0.1", settings.port) as line:
        store = MilvusVectors(
            settings.model_copy(
                update={
                    "port": line.port,
                    "read_seconds": 1.5,
                    "connect_seconds": 1.5,
                    "retry_seconds": 1.0,
                }
            )
        )
        reader = store.open(NAME)
        line.delay = 0.2
        assert reader.search(axis(0)[None], limit=1)[0][0].score == pytest.approx(1)
        line.cut.set()
        for stuck in (lambda: reader.search(axis(0)[None], limit=1), store.names):
            started = time.monotonic()
            with pytest.raises(StoreUnavailable, match="Milvus at 127"):
                stuck()
            assert time.monotonic() - started < 4
        line.cut.clear()
        line.delay = 0.0
        assert reader.search(axis(0)[None], limit=1)[0][0].score == pytest.approx(1)
        reader.close()


def test_nobody_there_is_said_within_the_deadline():
    store = MilvusVectors(milvus.settings(f"127.0.0.1:{free_port()}", connect_seconds=1, retry_seconds=1))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="MARKETING_MILVUS"):
        store.names()
    assert time.monotonic() - started < 4


def test_stopped_while_writing_and_reading(tmp_path: Path):
    port = free_port()
    store = MilvusVectors(milvus.settings(f"127.0.0.1:{port}", read_seconds=2, write_seconds=3))
    with milvus.running(tmp_path, port) as server:
        store.write("v_1", [records([0])], dim=DIM)
        reader = store.open("v_1")
        assert reader.search(axis(0)[None], limit=1)[0][0].score == pytest.approx(1)

        def stopped_half_way() -> Iterator[pa.Table]:
            yield records([1])
            end(server.process)
            yield records([2])

        with pytest.raises(StoreUnavailable, match="failed to write"):
            store.write("v_2", stopped_half_way(), dim=DIM)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="failed to search"):
            reader.search(axis(0)[None], limit=1)
        assert time.monotonic() - started < 5
    with milvus.running(tmp_path, port):
        assert store.names() == ["v_1"]
        assert reader.search(axis(0)[None], limit=1)[0][0].score == pytest.approx(1)
        assert store.write("v_2", [records([1, 2])], dim=DIM) == 2
        assert store.names() == ["v_1", "v_2"]
        reader.close()


def test_a_server_that_is_back_is_found_at_once_however_long_it_was_away(tmp_path: Path):
    port = free_port()
    store = MilvusVectors(milvus.settings(f"127.0.0.1:{port}", read_seconds=0.5, retry_seconds=0))
    with milvus.running(tmp_path, port):
        store.write("v_1", [records([0])], dim=DIM)
        reader = store.open("v_1")
    gone_until = time.monotonic() + 10
    while time.monotonic() < gone_until:
        with pytest.raises(StoreUnavailable, match="failed to search"):
            reader.search(axis(0)[None], limit=1)
        time.sleep(0.1)
    with milvus.running(tmp_path, port):
        assert store.names() == ["v_1"]
        assert reader.search(axis(0)[None], limit=1)[0][0].score == pytest.approx(1)
    reader.close()


def test_a_writer_waits_for_a_server_that_is_coming_back(tmp_path: Path):
    port = free_port()
    store = MilvusVectors(milvus.settings(f"127.0.0.1:{port}", retry_seconds=60))
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(store.write, "v_1", [records([0, 1])], dim=DIM)
        time.sleep(1)
        assert not written.done()
        with milvus.running(tmp_path, port):
            assert written.result(60) == 2


@pytest.mark.parametrize(
    ("code", "reason", "waits"), [("UNKNOWN", "not ready yet", True), ("UNAUTHENTICATED", "wrong", False)]
)
def test_a_server_that_is_not_ready_is_asked_again_one_that_refuses_is_not(
    code: str, reason: str, *, waits: bool
):
    asked = 0

    class Starting(MilvusServiceServicer):
        """Answers as Milvus does while it starts, or to somebody it does not know."""

        def Connect(self, request: Any, context: grpc.ServicerContext) -> Any:
            nonlocal asked
            asked += 1
            context.abort(grpc.StatusCode[code], reason)

    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    add_MilvusServiceServicer_to_server(Starting(), server)
    server.start()
    store = MilvusVectors(milvus.settings(f"127.0.0.1:{port}", retry_seconds=1))
    with pytest.raises(StoreUnavailable, match="failed to connect"):
        store.names()
    server.stop(None)
    assert (asked > 1) == waits
