"""Takes the rows of erased users out of everything that was landed: parts, documents, kept objects.

Nothing is changed in place that a release was made of: a part is written anew without the user and the
ledger names the new one, so that the next release lacks the rows and collection drops the old part.
Releases themselves are `releases/collection.py`'s business, who is erased `releases/erasures.py`'s.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from marketing_platform.releases.erasures import Erasure, Erasures
from marketing_platform.releases.ledger import Batch, Ledger, Remaining, State, suffix_of
from marketing_platform.stores.protocols import Documents, Objects, Select, TableRef, Warehouse

_USER = "user_id"  # in every canonical table that tells of users


@dataclass
class _Found:
    """What of a batch belongs to erased users."""

    user_of: dict[int, str] = field(default_factory=dict[int, str])  # by ordinal of the record
    by_place: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (place, name, user) -> records


def erase_rows(
    objects: Objects,
    documents: Documents,
    warehouse: Warehouse,
    ledger: Ledger,
    erasures: Erasures,
    *,
    now: datetime,
    chunk_rows: int,
    confirm: Callable[[], None] = lambda: None,
) -> int:
    """Take the users of all waiting erasures out of every judged batch; returns how many were.

    A record belongs to a user when a row that was made of it does, or when one of its values is the
    id. While a batch waits to be judged the erasures wait too, as it may bring the user. Dying half
    way leaves erasures waiting; the next time goes on. The caller holds the writer lock alone;
    `confirm` raises when it was lost.
    """
    waiting = erasures.waiting()
    if not waiting or ledger.pending():
        return 0
    by_user = {one.user_id: one for one in waiting}
    for batch in ledger.batches():
        if batch.state is not State.LANDED:
            _erase_batch(batch, by_user, objects, documents, warehouse, ledger, erasures, now, chunk_rows)
            confirm()
    for one in waiting:
        erasures.rows_gone(one.erasure_id, now=now)
    return len(waiting)


def _erase_batch(
    batch: Batch,
    by_user: dict[str, Erasure],
    objects: Objects,
    documents: Documents,
    warehouse: Warehouse,
    ledger: Ledger,
    erasures: Erasures,
    now: datetime,
    chunk_rows: int,
) -> None:
    users = frozenset(by_user)
    found = _Found()
    parts = {
        table: _without(part, table, batch, users, warehouse, found) for table, part in batch.parts.items()
    }
    for chunk in documents.read_raw(batch.batch_id, chunk_rows=chunk_rows):
        _look(chunk, users, found, "raw documents", batch.batch_id)
    quarantined: list[str] = []
    if not found.by_place and documents.count_raw(batch.batch_id) == batch.rows_landed:
        return
    documents.write_raw(
        batch.batch_id,
        _kept(documents.read_raw(batch.batch_id, chunk_rows=chunk_rows), found),
        ingested_at=batch.landed_at,
    )
    rows_quarantined = documents.write_quarantine(
        batch.batch_id, _kept(documents.read_quarantine(batch.batch_id), found, reasons=quarantined)
    )
    for name in ledger.names_of(batch.batch_id):
        objects.forget(name, batch.content_hash)
    rows_landed = documents.count_raw(batch.batch_id)
    ledger.keep_only(
        batch.batch_id,
        Remaining(rows_landed, rows_landed - rows_quarantined, rows_quarantined, Counter(quarantined), parts),
        now=now,
    )
    for (place, name, user), records in found.by_place.items():
        erasures.note(by_user[user].erasure_id, place, name, records=records, now=now)
    for user in sorted({user for _, _, user in found.by_place}):
        erasures.note(by_user[user].erasure_id, "objects", batch.object, records=1, now=now)


def _without(
    part: str, table: str, batch: Batch, users: frozenset[str], warehouse: Warehouse, found: _Found
) -> str:
    """The part, or the name of a new one that lacks the users where it has any of their rows."""
    ref = warehouse.open(part).ref
    if _USER not in ref.schema.names:
        return part
    one = TableRef(table, (part,), ref.schema)
    values = {f"user{number}": user for number, user in enumerate(sorted(users))}
    named = ", ".join(f"${name}" for name in values)
    sql = f"SELECT user_id, row_ordinal FROM {table} WHERE user_id IN ({named})"  # noqa: S608 -- our names
    rows = warehouse.query(Select(sql, [one], values)).to_pylist()
    if not rows:
        return part
    for row in rows:
        found.user_of[row["row_ordinal"]] = row[_USER]
        found.by_place["warehouse", part, row[_USER]] += 1
    columns = ", ".join(f'"{name}"' for name in ref.schema.names)
    others = f"SELECT {columns} FROM {table} WHERE user_id IS NULL OR user_id NOT IN ({named})"  # noqa: S608
    # The ending is of fixed length, however often a part is written anew.
    name = f"{table}__{suffix_of(batch.batch_id)}_{secrets.token_hex(4)}"
    return warehouse.create(name, Select(others, [one], values)).ref.parts[0]


def _look(chunk: pa.Table, users: frozenset[str], found: _Found, place: str, name: str) -> None:
    for ordinal, document in zip(chunk["ordinal"].to_pylist(), chunk["document"].to_pylist(), strict=True):
        user = found.user_of.get(ordinal) or _user_in(document, users)
        if user is not None:
            found.user_of[ordinal] = user
            found.by_place[place, name, user] += 1


def _user_in(document: str, users: frozenset[str]) -> str | None:
    values: Any = orjson.loads(document)
    told = values.values() if isinstance(values, dict) else ()
    return next((value for value in told if isinstance(value, str) and value in users), None)


def _kept(chunks: Iterable[pa.Table], found: _Found, reasons: list[str] | None = None) -> Iterator[pa.Table]:
    for chunk in chunks:
        mask = [ordinal not in found.user_of for ordinal in chunk["ordinal"].to_pylist()]
        rest = chunk.filter(pa.array(mask, pa.bool_()))
        if reasons is not None:
            for told in rest["reasons"].to_pylist():
                reasons += orjson.loads(told)
        yield rest
