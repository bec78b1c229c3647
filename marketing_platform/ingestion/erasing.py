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

from marketing_platform.releases.erasures import Erasures
from marketing_platform.releases.ledger import Batch, Ledger, Remaining, State, suffix_of
from marketing_platform.stores.protocols import Documents, Objects, Select, TableRef, Warehouse

_USER = "user_id"  # in every canonical table that tells of users


@dataclass
class _Found:
    """What of a batch belongs to erased users."""

    user_of: dict[int, str] = field(default_factory=dict[int, str])  # by ordinal of the record
    by_place: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (place, name, user) -> records


@dataclass(frozen=True)
class Landed:
    """Everything that knows what landed."""

    objects: Objects
    documents: Documents
    warehouse: Warehouse
    ledger: Ledger


def erase_rows(
    landed: Landed,
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
    if not waiting or landed.ledger.pending():
        return 0
    by_user = {one.user_id: one for one in waiting}
    eraser = _Eraser(landed, frozenset(by_user), chunk_rows)
    for batch in landed.ledger.batches():
        if batch.state is State.LANDED:
            continue
        found = eraser.erase(batch, now)
        for (place, name, user), records in found.by_place.items():
            erasures.note(by_user[user].erasure_id, place, name, records=records, now=now)
        confirm()
    for one in waiting:
        erasures.rows_gone(one.erasure_id, now=now)
    return len(waiting)


class _Eraser:
    """Takes some users out of one batch after the other."""

    def __init__(self, landed: Landed, users: frozenset[str], chunk_rows: int) -> None:
        self._landed = landed
        self._users = users
        self._chunk_rows = chunk_rows
        self._values = {f"user{number}": user for number, user in enumerate(sorted(users))}
        self._named = ", ".join(f"${name}" for name in self._values)

    def erase(self, batch: Batch, now: datetime) -> _Found:
        """Rewrite what holds records of the users; nothing where there are none."""
        documents, found = self._landed.documents, _Found()
        parts = {table: self._part(part, table, batch, found) for table, part in batch.parts.items()}
        for chunk in self._raw(batch):
            _look(chunk, self._users, found, batch.batch_id)
        # Fewer than the ledger says: the last attempt died before it told the ledger.
        if not found.by_place and documents.count_raw(batch.batch_id) == batch.rows_landed:
            return found
        reasons: Counter[str] = Counter()
        rest = _kept(self._raw(batch), found)
        landed = documents.write_raw(batch.batch_id, rest, ingested_at=batch.landed_at)
        refused = _kept(documents.read_quarantine(batch.batch_id), found, reasons)
        quarantined = documents.write_quarantine(batch.batch_id, refused)
        for name in self._landed.ledger.names_of(batch.batch_id):
            self._landed.objects.forget(name, batch.content_hash)
            for user in sorted({user for _, _, user in found.by_place}):
                found.by_place["objects", name, user] = 1
        remaining = Remaining(landed, landed - quarantined, quarantined, reasons, parts)
        self._landed.ledger.keep_only(batch.batch_id, remaining, now=now)
        return found

    def _raw(self, batch: Batch) -> Iterator[pa.Table]:
        return self._landed.documents.read_raw(batch.batch_id, chunk_rows=self._chunk_rows)

    def _part(self, part: str, table: str, batch: Batch, found: _Found) -> str:
        """The part, or the name of a new one that lacks the users where it has any of their rows."""
        warehouse = self._landed.warehouse
        ref = warehouse.open(part).ref
        if _USER not in ref.schema.names:
            return part
        one = TableRef(table, (part,), ref.schema)
        sql = f"SELECT user_id, row_ordinal FROM {table} WHERE user_id IN ({self._named})"  # noqa: S608
        rows = warehouse.query(Select(sql, [one], self._values)).to_pylist()
        if not rows:
            return part
        for row in rows:
            found.user_of[row["row_ordinal"]] = row[_USER]
            found.by_place["warehouse", part, row[_USER]] += 1
        columns = ", ".join(f'"{name}"' for name in ref.schema.names)
        others = (
            f"SELECT {columns} FROM {table}"  # noqa: S608 -- our own names
            f" WHERE user_id IS NULL OR user_id NOT IN ({self._named})"
        )
        # The ending is of fixed length, however often a part is written anew.
        name = f"{table}__{suffix_of(batch.batch_id)}_{secrets.token_hex(4)}"
        return warehouse.create(name, Select(others, [one], self._values)).ref.parts[0]


def _look(chunk: pa.Table, users: frozenset[str], found: _Found, batch_id: str) -> None:
    for ordinal, document in zip(chunk["ordinal"].to_pylist(), chunk["document"].to_pylist(), strict=True):
        user = found.user_of.get(ordinal) or _user_in(document, users)
        if user is not None:
            found.user_of[ordinal] = user
            found.by_place["raw documents", batch_id, user] += 1


def _user_in(document: str, users: frozenset[str]) -> str | None:
    values: Any = orjson.loads(document)
    told = values.values() if isinstance(values, dict) else ()
    return next((value for value in told if isinstance(value, str) and value in users), None)


def _kept(
    chunks: Iterable[pa.Table], found: _Found, reasons: Counter[str] | None = None
) -> Iterator[pa.Table]:
    """What belongs to none of the users; counts the reasons of what is quarantined."""
    for chunk in chunks:
        mask = [ordinal not in found.user_of for ordinal in chunk["ordinal"].to_pylist()]
        rest = chunk.filter(pa.array(mask, pa.bool_()))
        if reasons is not None:
            for told in rest["reasons"].to_pylist():
                reasons.update(orjson.loads(told))
        if rest.num_rows:
            yield rest
