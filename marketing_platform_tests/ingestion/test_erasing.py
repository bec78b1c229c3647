"""Erased users go from parts, documents and kept objects; everything else stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from marketing_platform.catalog import table
from marketing_platform.errors import UnknownName
from marketing_platform.ingestion.erasing import Landed, erase_rows
from marketing_platform.releases.ledger import Outcome, suffix_of
from marketing_platform.releases.records import Records, in_folder
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, RAW_SCHEMA, Select, TableRef
from marketing_platform.stores.registry import Stores, open_stores
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PEOPLE = ["u-1", "u'2", "u-3", "u-1", "u-4"]


@pytest.fixture(params=["embedded", *(["servers"] if WITH_SERVERS else [])])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    embedded = open_stores(Settings(data_dir=tmp_path))  # pyright: ignore[reportCallIssue]
    return embedded if request.param == "embedded" else _on_servers(embedded)


def _on_servers(stores: Stores) -> Stores:
    from marketing_platform.stores.documents_mongo import MongoDocuments
    from marketing_platform.stores.warehouse_postgres import PostgresWarehouse
    from marketing_platform_tests.servers import mongo, postgres

    return replace(
        stores,
        documents=MongoDocuments(mongo.settings(shared(mongo.running))),
        warehouse=PostgresWarehouse(postgres.settings(shared(postgres.running))),
    )


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return in_folder(tmp_path)


def judged(stores: Stores, records: Records, name: str, people: Sequence[str], refused: Sequence[str]) -> str:
    """A batch with one message of each person, as reading and judging leave it behind."""
    landed = stores.objects.put(name, [f"{name} {people} {refused}".encode()])
    content_hash, _ = stores.objects.snapshot(landed)
    batch, _ = records.ledger.register(landed, source="chat", content_hash=content_hash, now=NOW)
    everybody = [*people, *refused]
    raw = [
        {"ordinal": n, "document": orjson.dumps({"from": user, "text": "hi"}).decode(), "defect": None}
        for n, user in enumerate(everybody)
    ]
    stores.documents.write_raw(batch, [pa.Table.from_pylist(raw, RAW_SCHEMA)], ingested_at=NOW)
    held_back = [
        {"ordinal": row["ordinal"], "document": row["document"], "reasons": '["timestamp missing"]'}
        for row in raw[len(people) :]
    ]
    stores.documents.write_quarantine(batch, [pa.Table.from_pylist(held_back, QUARANTINE_SCHEMA)])
    schema = table("events").arrow_schema
    rows = [
        {
            **dict.fromkeys(schema.names),
            "event_id": f"e{n}",
            "user_id": user,
            "batch_id": batch,
            "row_ordinal": n,
        }
        for n, user in enumerate(people)
    ]
    with stores.warehouse.writer(f"events__{suffix_of(batch)}_1", schema) as part:
        part.add(pa.Table.from_pylist(rows, schema))
    parts = {"events": part.stored.ref.parts[0]}
    reasons = {"timestamp missing": len(refused)}
    outcome = Outcome(len(everybody), len(people), len(refused), reasons, (), parts)
    records.ledger.judge(batch, outcome, now=NOW)
    return batch


def erase(stores: Stores, records: Records) -> int:
    return erase_rows(
        Landed(stores.objects, stores.documents, stores.warehouse, records.ledger),
        records.erasures,
        now=NOW,
        chunk_rows=2,
    )


def people_in(stores: Stores, part: str) -> list[str]:
    ref = TableRef("events", (part,), table("events").arrow_schema)
    rows = stores.warehouse.query(Select("SELECT user_id FROM events ORDER BY row_ordinal", [ref]))
    return rows["user_id"].to_pylist()


def documents(stores: Stores, batch: str) -> list[Any]:
    raw = stores.documents.read_raw(batch, chunk_rows=100)
    return [orjson.loads(text)["from"] for chunk in raw for text in chunk["document"].to_pylist()]


def test_everything_of_a_user_goes_and_the_proof_says_from_where(stores: Stores, records: Records) -> None:
    touched = judged(stores, records, "a.csv", PEOPLE, ["u-1", "u-5"])
    other = judged(stores, records, "b.csv", ["u-4"], ["u-5"])
    before = records.ledger.batch(touched)
    untouched = records.ledger.batch(other)
    asked = [records.erasures.ask(user, who="ana", now=NOW) for user in ("u-1", "u'2", "never")]

    assert erase(stores, records) == 3
    batch = records.ledger.batch(touched)
    assert (batch.rows_landed, batch.rows_valid, batch.rows_quarantined) == (3, 2, 1)
    assert (batch.reasons, batch.state) == ({"timestamp missing": 1}, before.state)
    assert people_in(stores, batch.parts["events"]) == ["u-3", "u-4"]
    assert people_in(stores, before.parts["events"]) == PEOPLE, "what a release was made of stays"
    assert documents(stores, touched) == ["u-3", "u-4", "u-5"]
    assert sum(chunk.num_rows for chunk in stores.documents.read_quarantine(touched)) == 1
    with pytest.raises(UnknownName):
        stores.objects.open(batch.content_hash)
    assert [landed.name for landed in stores.objects.list()] == ["b.csv"]
    assert records.ledger.history(touched)[-1].details == {"rows": 4}
    assert records.ledger.batch(other) == untouched

    first, places = records.erasures.get(asked[0].erasure_id)
    assert first.rows_gone_at == NOW
    assert [(one.place, one.name, one.records) for one in places] == [
        ("warehouse", before.parts["events"], 2),
        ("raw documents", touched, 3),
        ("objects", "a.csv", 1),
    ]
    assert [one.records for one in records.erasures.get(asked[1].erasure_id)[1]] == [1, 1, 1]
    assert records.erasures.get(asked[2].erasure_id)[1] == []
    assert erase(stores, records) == 0


def test_a_batch_that_waits_may_bring_the_user_so_erasures_wait_too(stores: Stores, records: Records) -> None:
    judged(stores, records, "a.csv", PEOPLE, [])
    landed = stores.objects.put("later.csv", [b"x"])
    records.ledger.register(landed, source="chat", content_hash=stores.objects.snapshot(landed)[0], now=NOW)
    records.erasures.ask("u-1", who="ana", now=NOW)
    assert erase(stores, records) == 0
    assert len(records.erasures.waiting()) == 1


def test_what_died_half_way_is_finished(stores: Stores, records: Records) -> None:
    batch = judged(stores, records, "a.csv", PEOPLE, ["u-1"])
    records.erasures.ask("u-1", who="ana", now=NOW)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records.ledger, "keep_only", die)
        with pytest.raises(KeyboardInterrupt):
            erase(stores, records)
    assert records.ledger.batch(batch).rows_landed == 6
    assert erase(stores, records) == 1
    found = records.ledger.batch(batch)
    assert (found.rows_landed, found.rows_valid, found.rows_quarantined) == (3, 3, 0)
    assert people_in(stores, found.parts["events"]) == ["u'2", "u-3", "u-4"]
