"""What every documents store does; each implementation adds a factory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from marketing_platform.stores.documents_sqlite import SqliteDocuments
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, RAW_SCHEMA, Documents
from marketing_platform.stores.raw_chunks import FIELDS, fields_type, written_out
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def sqlite(folder: Path) -> Documents:
    return SqliteDocuments(folder / "documents.sqlite")


def mongo(_folder: Path) -> Documents:
    from marketing_platform.stores.documents_mongo import MongoDocuments
    from marketing_platform_tests.servers import mongo as server

    return MongoDocuments(server.settings(shared(server.running)))


@pytest.fixture(params=[sqlite, mongo] if WITH_SERVERS else [sqlite])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> Documents:
    factory: Callable[[Path], Documents] = request.param
    return factory(tmp_path)


def raw(start: int, rows: int) -> pa.Table:
    ordinals = range(start, start + rows)
    return pa.table(
        [[*ordinals], [f'{{"n": "{n}", "text": "ä|\\"\\u0000"}}' for n in ordinals], [None] * rows],
        schema=RAW_SCHEMA,
    )


def refused(*ordinals: int) -> pa.Table:
    return pa.table(
        [[*ordinals], ["{}"] * len(ordinals), ['["why"]'] * len(ordinals)], schema=QUARANTINE_SCHEMA
    )


def ordinals(chunks: Iterator[pa.Table]) -> list[int]:
    return [ordinal for chunk in chunks for ordinal in chunk["ordinal"].to_pylist()]


def test_raw_records_come_back_as_they_were(documents: Documents) -> None:
    assert documents.write_raw("a@1", [raw(0, 7), raw(7, 5)], ingested_at=NOW) == 12
    read = pa.concat_tables(documents.read_raw("a@1", chunk_rows=5))
    assert read.equals(pa.concat_tables([raw(0, 7), raw(7, 5)]))


def test_writing_a_batch_again_replaces_it(documents: Documents) -> None:
    documents.write_raw("a@1", [raw(0, 9)], ingested_at=NOW)
    documents.write_raw("b@1", [raw(0, 2)], ingested_at=NOW)
    documents.write_raw("a@1", [raw(0, 3)], ingested_at=NOW)
    assert ordinals(documents.read_raw("a@1", chunk_rows=100)) == [0, 1, 2]
    assert ordinals(documents.read_raw("b@1", chunk_rows=100)) == [0, 1]
    assert [documents.count_raw(batch) for batch in ("a@1", "b@1", "never@0")] == [3, 2, 0]


def test_a_write_that_fails_leaves_what_was_there(documents: Documents) -> None:
    documents.write_raw("a@1", [raw(0, 3)], ingested_at=NOW)

    def broken() -> Iterator[pa.Table]:
        yield raw(0, 2)
        raise OSError("the file went away")

    with pytest.raises(OSError, match="went away"):
        documents.write_raw("a@1", broken(), ingested_at=NOW)
    assert ordinals(documents.read_raw("a@1", chunk_rows=100)) == [0, 1, 2]


def test_quarantine_is_read_in_order_and_in_part(documents: Documents) -> None:
    documents.write_raw("a@1", [raw(0, 9)], ingested_at=NOW)
    assert documents.write_quarantine("a@1", [refused(5, 7), refused(2)]) == 3
    assert ordinals(documents.read_quarantine("a@1")) == [2, 5, 7]
    assert ordinals(documents.read_quarantine("a@1", limit=2)) == [2, 5]


def test_nothing_is_read_from_an_unknown_or_dropped_batch(documents: Documents) -> None:
    assert list(documents.read_raw("never@0", chunk_rows=10)) == []
    documents.write_raw("a@1", [raw(0, 3)], ingested_at=NOW)
    documents.write_quarantine("a@1", [refused(1)])
    documents.drop("a@1")
    assert documents.count_raw("a@1") == 0
    assert list(documents.read_raw("a@1", chunk_rows=10)) == []
    assert list(documents.read_quarantine("a@1")) == []


def in_columns(*rows: dict[str, str | None]) -> pa.Table:
    """A chunk whose records stand in columns, but for a last one that could not be split."""
    fields = pa.array([*rows, None], fields_type(["id", 'odd "name"', "text"]))
    documents = [*[None] * len(rows), '{"_raw":"x"}']
    defects = [*[None] * len(rows), "too few columns"]
    columns = [[*range(len(documents))], documents, defects]
    return pa.table(columns, schema=RAW_SCHEMA).append_column(FIELDS, fields)


def test_records_in_columns_come_back_as_documents_and_as_they_are_cheapest(documents: Documents) -> None:
    rows: list[dict[str, str | None]] = [
        {"id": "1", 'odd "name"': 'a "b" \\ \n\t\u0001\x7fé🙂', "text": ""},
        {"id": "2", 'odd "name"': None, "text": "plain"},
    ]
    chunk = in_columns(*rows)
    assert documents.write_raw("a@1", [chunk], ingested_at=NOW) == documents.count_raw("a@1") == 3
    (read,) = documents.read_raw("a@1", chunk_rows=10)
    expected = [orjson.dumps(row).decode() for row in rows]
    assert read["document"].to_pylist() == [*expected, '{"_raw":"x"}']
    assert read.schema == RAW_SCHEMA
    cheapest = pa.concat_tables(map(written_out, documents.read_compact("a@1", chunk_rows=2)))
    assert cheapest.equals(read)
