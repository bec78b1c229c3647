"""What only the embedded store of documents does: it takes over the file of an earlier version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from marketing_platform.stores.documents_sqlite import SqliteDocuments

EARLIER = """
CREATE TABLE batches (number INTEGER PRIMARY KEY, batch_id TEXT UNIQUE NOT NULL, ingested_at TEXT NOT NULL);
CREATE TABLE raw (
    batch INTEGER NOT NULL, ordinal INTEGER NOT NULL, document TEXT NOT NULL, defect TEXT,
    PRIMARY KEY (batch, ordinal)) WITHOUT ROWID;
CREATE VIEW raw_records AS
    SELECT batch_id, ordinal, ingested_at, document, defect FROM raw JOIN batches ON batch = number;
INSERT INTO batches VALUES (1, 'a@1', '2026-07-01'), (2, 'b@1', '2026-07-01');
INSERT INTO raw VALUES
    (1, 0, '{"id":"1"}', NULL), (1, 2, '{"_raw":"x"}', 'too few columns'), (2, 0, '{}', NULL);
"""


def test_raw_records_of_an_earlier_version_are_taken_over_once(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(EARLIER)
    for documents in (SqliteDocuments(path), SqliteDocuments(path)):
        read = pa.concat_tables(documents.read_raw("a@1", chunk_rows=10)).to_pylist()
        assert read == [
            {"ordinal": 0, "document": '{"id":"1"}', "defect": None},
            {"ordinal": 2, "document": '{"_raw":"x"}', "defect": "too few columns"},
        ]
        assert documents.count_raw("b@1") == 1
    documents.drop("a@1")
    assert (documents.count_raw("a@1"), documents.count_raw("b@1")) == (0, 1)
    with closing(sqlite3.connect(path)) as connection:
        left = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'raw%'").fetchall()
    assert left == [("raw_blocks",)]
