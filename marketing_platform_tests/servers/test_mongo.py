"""What is special to MongoDB: long records, killed writers, and a server that goes away or is slow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymongo
import pytest

from marketing_platform.errors import StoreUnavailable, UnknownBatch
from marketing_platform.stores.answers_mongo import MongoAnswers
from marketing_platform.stores.documents_mongo import MongoDocuments
from marketing_platform.stores.enriched_mongo import MongoEnrichedDocuments
from marketing_platform.stores.mongo_settings import MongoSettings
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, RAW_SCHEMA
from marketing_platform_tests.servers import mongo
from marketing_platform_tests.servers.base import Running, end, free_port
from marketing_platform_tests.servers.clocks import within
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import Line, slow_network
from marketing_platform_tests.stores.processes import killed_half_way, then_hang

NOW = datetime(2026, 7, 1, tzinfo=UTC)
BATCH = "events.csv@1"


def raw(rows: int, document: str = "{}") -> pa.Table:
    return pa.table([range(rows), [document] * rows, [None] * rows], schema=RAW_SCHEMA)


def events(rows: int) -> pa.Table:
    names = [str(row) for row in range(rows)]
    moments = pa.array([NOW] * rows, pa.timestamp("us", tz="UTC"))
    return pa.table(
        {"row_ordinal": range(rows), "timestamp": moments, "user_id": names, "campaign_id": names}
    )


def ordinals(documents: MongoDocuments, batch: str = BATCH) -> list[int]:
    chunks = documents.read_raw(batch, chunk_rows=1000)
    return [ordinal for chunk in chunks for ordinal in chunk["ordinal"].to_pylist()]


def stored(settings: MongoSettings, collection: str) -> int:
    """How many documents lie there, also those that no reader sees."""
    with pymongo.MongoClient(settings.hosts) as client:
        return client[settings.database][collection].count_documents({})


@pytest.fixture
def settings() -> MongoSettings:
    return mongo.settings(shared(mongo.running))


def test_a_record_longer_than_a_document_may_be(settings: MongoSettings) -> None:
    documents = MongoDocuments(settings)
    long = '{"text": "' + "ä🙂x" * 3_000_000 + '"}'
    rows = pa.table([[0, 1, 2], ["{}", long, "{}"], [None, "cut", None]], schema=RAW_SCHEMA)
    documents.write_raw(BATCH, [rows], ingested_at=NOW)
    assert pa.concat_tables(documents.read_raw(BATCH, chunk_rows=2)).equals(rows)
    refused = pa.table([[1], [long], ['["too long"]']], schema=QUARANTINE_SCHEMA)
    documents.write_quarantine(BATCH, [refused])
    assert pa.concat_tables(documents.read_quarantine(BATCH, limit=1)).equals(refused)


def test_a_repeated_ordinal_is_refused(settings: MongoSettings) -> None:
    documents = MongoDocuments(settings)
    with pytest.raises(ValueError, match="unique"):
        documents.write_raw(BATCH, [raw(2), raw(1)], ingested_at=NOW)
    assert ordinals(documents) == []
    assert stored(settings, "raw_records") == 0


def test_quarantine_needs_its_batch(settings: MongoSettings) -> None:
    with pytest.raises(UnknownBatch, match="never"):
        MongoDocuments(settings).write_quarantine("never@1", [])


def write_and_hang(settings: MongoSettings, half_way: Any) -> None:
    MongoDocuments(settings).write_raw(BATCH, then_hang(raw(500), half_way), ingested_at=NOW)


def test_what_a_killed_writer_left_goes_with_the_next_write(settings: MongoSettings) -> None:
    documents = MongoDocuments(settings)
    documents.write_raw(BATCH, [raw(3)], ingested_at=NOW)
    killed_half_way(write_and_hang, settings)
    assert ordinals(documents) == [0, 1, 2]
    assert stored(settings, "raw_records") == 503
    documents.write_raw(BATCH, [raw(4)], ingested_at=NOW)
    assert stored(settings, "raw_records") == 4


def enrich_and_hang(settings: MongoSettings, half_way: Any) -> None:
    MongoEnrichedDocuments(settings).write("s__a", then_hang(events(500), half_way))


def test_documents_that_a_killed_writer_left_go_with_the_next_write(settings: MongoSettings) -> None:
    enriched = MongoEnrichedDocuments(settings)
    enriched.write("s__a", [events(3)])
    killed_half_way(enrich_and_hang, settings)
    assert len(enriched.read(["s__a"], limit=1000)) == 3
    assert stored(settings, "enriched_events") == 503
    enriched.write("s__a", [events(4)])
    assert stored(settings, "enriched_events") == 4


def test_documents_are_looked_up_by_user_and_campaign(settings: MongoSettings) -> None:
    MongoEnrichedDocuments(settings).write("s__a", [events(3)])
    with pymongo.MongoClient(settings.hosts) as client:
        indexes = client[settings.database]["enriched_events"].index_information().values()
    assert {index["key"][0][0] for index in indexes} >= {"user_id", "campaign_id"}


def test_a_batch_replaced_while_it_is_read_is_never_read_in_part(settings: MongoSettings) -> None:
    documents = MongoDocuments(settings)
    documents.write_raw(BATCH, [raw(2000)], ingested_at=NOW)
    chunks = documents.read_raw(BATCH, chunk_rows=500)
    read = next(chunks).num_rows
    documents.write_raw(BATCH, [raw(2000)], ingested_at=NOW)
    with suppress(StoreUnavailable):  # a cursor of this server may hold what it found; MongoDB's own does not
        read += sum(chunk.num_rows for chunk in chunks)
        assert read == 2000


def test_records_that_vanish_while_they_are_read_are_noticed(settings: MongoSettings) -> None:
    documents = MongoDocuments(settings)
    documents.write_raw(BATCH, [raw(20)], ingested_at=NOW)
    with pymongo.MongoClient(settings.hosts) as client:
        client[settings.database]["raw_records"].delete_one({"ordinal": 7})
    with pytest.raises(StoreUnavailable, match="read it again"):
        list(documents.read_raw(BATCH, chunk_rows=5))


def test_unused_answers_are_removed_when_readers_had_time(settings: MongoSettings) -> None:
    answers = MongoAnswers(settings.model_copy(update={"retire_seconds": 0.2}))
    rows = pa.table({"key": ["a"], "answer": pa.array([b"{}"], pa.binary())})
    for _ in range(3):
        answers.write("recommendations_1", [rows])
    time.sleep(0.4)
    answers.drop("never_written")
    with pymongo.MongoClient(settings.hosts) as client:
        collections = client[settings.database].list_collection_names()
    assert len([name for name in collections if name.startswith("answers_")]) == 1
    assert answers.open("recommendations_1").get("a") == b"{}"


class Restartable:
    """A server of this test alone, which comes back on its port with what it held."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self._folder, self._port = stack, folder, free_port()
        self.start()

    def start(self) -> None:
        self.server: Running = self._stack.enter_context(mongo.running(self._folder, self._port))

    def stop(self) -> None:
        end(self.server.process)


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[Restartable]:
    with ExitStack() as stack:
        yield Restartable(stack, tmp_path)


def test_stopped_while_it_is_written_to_and_read_from(restartable: Restartable) -> None:
    settings = mongo.settings(restartable.server, connect_seconds=1, read_seconds=4, write_seconds=10)
    documents, answers = MongoDocuments(settings), MongoAnswers(settings)
    documents.write_raw(BATCH, [raw(1000)], ingested_at=NOW)
    answers.write("set_1", [pa.table({"key": ["a"], "answer": pa.array([b"{}"], pa.binary())})])
    reader = answers.open("set_1")
    chunks = documents.read_raw(BATCH, chunk_rows=100)
    next(chunks)

    def rows_and_a_stop() -> Iterator[pa.Table]:
        yield raw(10)
        restartable.stop()
        clock.enter_context(within(15))  # from here on: the stop takes its own time
        yield raw(20).slice(10)

    with ExitStack() as clock, pytest.raises(StoreUnavailable, match="MARKETING_MONGO_"):
        documents.write_raw(BATCH, rows_and_a_stop(), ingested_at=NOW)
    for asked in (lambda: list(chunks), lambda: reader.get("a"), answers.names, lambda: ordinals(documents)):
        with within(3), pytest.raises(StoreUnavailable, match="MongoDB at"):
            asked()
    restartable.start()
    assert ordinals(documents) == list(range(1000))
    assert reader.get("a") == b"{}"
    assert documents.write_raw(BATCH, [raw(5)], ingested_at=NOW) == 5
    assert stored(settings, "raw_records") == 5


@pytest.fixture
def line() -> Iterator[Line]:
    host, port = shared(mongo.running).endpoint.split(":")
    with slow_network(host, int(port)) as line:
        yield line


def test_a_slow_or_silent_server_is_waited_for_until_the_deadline(
    line: Line, settings: MongoSettings
) -> None:
    far = settings.model_copy(
        update={
            "hosts": f"127.0.0.1:{line.port}",
            "connect_seconds": 1,
            "read_seconds": 1,
            "write_seconds": 1,
        }
    )
    documents = MongoDocuments(far)
    documents.write_raw(BATCH, [raw(10)], ingested_at=NOW)
    line.delay = 0.1
    assert ordinals(documents) == list(range(10))
    line.cut.set()
    with within(3), pytest.raises(StoreUnavailable):
        ordinals(documents)
    with within(5), pytest.raises(StoreUnavailable):
        documents.write_raw(BATCH, [raw(3)], ingested_at=NOW)
    line.delay = 0
    line.cut.clear()
    assert ordinals(documents) == list(range(10))
