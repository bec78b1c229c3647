"""The ledger of batches: what landed, what became of it, and who decided so.

A batch is one version of one landed object, known by its content: landing the same bytes again
changes nothing, under whatever name. An object that is overwritten gets a new batch, and the
newest admitted batch of each object is the one that counts. Rows are not here: raw records are
in the documents store, valid rows in the warehouse.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from marketing_platform.errors import UnknownBatch
from marketing_platform.stores.protocols import LandedObject

_TABLES = """
CREATE TABLE IF NOT EXISTS batches (
    batch_id TEXT PRIMARY KEY, source TEXT NOT NULL, object TEXT NOT NULL, content_hash TEXT NOT NULL,
    size INTEGER NOT NULL, landed_at TEXT NOT NULL, sequence INTEGER NOT NULL, state TEXT NOT NULL,
    rows_landed INTEGER NOT NULL DEFAULT 0, rows_valid INTEGER NOT NULL DEFAULT 0,
    rows_quarantined INTEGER NOT NULL DEFAULT 0, reasons TEXT NOT NULL DEFAULT '{}',
    failed TEXT NOT NULL DEFAULT '[]', parts TEXT NOT NULL DEFAULT '{}', why TEXT);
CREATE TABLE IF NOT EXISTS landings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT NOT NULL, generation TEXT NOT NULL,
    batch_id TEXT NOT NULL, seen_at TEXT NOT NULL, UNIQUE (object, generation));
CREATE TABLE IF NOT EXISTS audit (
    at TEXT NOT NULL, batch_id TEXT NOT NULL, action TEXT NOT NULL, who TEXT, why TEXT, details TEXT);
"""


class State(StrEnum):
    """What became of a batch."""

    LANDED = "landed"  # kept, not judged yet
    ACCEPTED = "accepted"  # passed its gate
    HELD = "held"  # failed its gate: in no release until replaced, replayed or accepted on purpose
    ACCEPTED_ON_PURPOSE = "accepted on purpose"  # failed its gate, and a person took it anyway


ADMITTED = (State.ACCEPTED, State.ACCEPTED_ON_PURPOSE)


@dataclass(frozen=True)
class Batch:
    """One line of the ledger."""

    batch_id: str
    source: str
    object: str
    content_hash: str
    size: int  # bytes
    landed_at: datetime
    sequence: int  # order of landing; the newest landing of an object has the highest
    state: State
    rows_landed: int
    rows_valid: int
    rows_quarantined: int
    reasons: Mapping[str, int]  # rows per reason of quarantine; a row may have several
    failed: tuple[str, ...]  # rules of the gate that failed
    parts: Mapping[str, str]  # table -> warehouse part with the valid rows
    why: str | None  # given by whoever accepted it on purpose

    @property
    def share_valid(self) -> float:
        """Valid rows by landed rows; 1 for a batch without rows."""
        return self.rows_valid / self.rows_landed if self.rows_landed else 1.0


@dataclass(frozen=True)
class Outcome:
    """What reading and judging a batch came to."""

    rows_landed: int
    rows_valid: int
    rows_quarantined: int
    reasons: Mapping[str, int]
    failed: tuple[str, ...]
    parts: Mapping[str, str]


@dataclass(frozen=True)
class Event:
    """One line of the audit trail."""

    at: datetime
    batch_id: str
    action: str
    who: str | None
    why: str | None
    details: Mapping[str, Any]


def batch_id_of(source: str, object_name: str, content_hash: str) -> str:
    """A readable, unique name: the object's, then 12 hex digits of source and content."""
    identity = hashlib.sha256(f"{source}\n{content_hash}".encode()).hexdigest()[:12]
    # Dagster refuses control characters and "..." in partition keys.
    readable = re.sub(r"[^\w./ =+-]|\.{2,}", "_", object_name)[-120:]
    return f"{readable}@{identity}"


def suffix_of(batch_id: str) -> str:
    """The part of a batch id that is unique by itself and safe in names of files and tables."""
    return batch_id.rpartition("@")[2]


class Ledger:
    """The ledger in one SQLite file; every change is one transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def seen(self) -> set[tuple[str, str]]:
        """(object, generation) of everything registered."""
        with self._connected() as connection:
            return set(connection.execute("SELECT object, generation FROM landings"))

    def register(
        self, landed: LandedObject, *, source: str, content_hash: str, now: datetime
    ) -> tuple[str, bool]:
        """Note that an object landed; returns its batch id and whether that content is new here."""
        with self._connected() as connection:
            row = connection.execute(
                "SELECT batch_id FROM batches WHERE source = ? AND content_hash = ?", (source, content_hash)
            ).fetchone()
            batch_id = row[0] if row else batch_id_of(source, landed.name, content_hash)
            sequence = connection.execute(
                "INSERT INTO landings (object, generation, batch_id, seen_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (object, generation) DO UPDATE SET seen_at = excluded.seen_at"
                " RETURNING sequence",
                (landed.name, landed.generation, batch_id, now.isoformat()),
            ).fetchone()[0]
            if row is None:
                connection.execute(
                    "INSERT INTO batches"
                    " (batch_id, source, object, content_hash, size, landed_at, sequence, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        batch_id,
                        source,
                        landed.name,
                        content_hash,
                        landed.size,
                        now.isoformat(),
                        sequence,
                        State.LANDED,
                    ),
                )
                _note(
                    connection, batch_id, "landed", now, details={"object": landed.name, "size": landed.size}
                )
            elif (
                landed.name
                != connection.execute(
                    "SELECT object FROM batches WHERE batch_id = ?", (batch_id,)
                ).fetchone()[0]
            ):
                _note(connection, batch_id, "landed again", now, details={"object": landed.name})
            return batch_id, row is None

    def judge(self, batch_id: str, outcome: Outcome, *, now: datetime) -> State:
        """Record what a batch came to, and admit or hold it."""
        state = State.HELD if outcome.failed else State.ACCEPTED
        with self._connected() as connection:
            changed = connection.execute(
                "UPDATE batches SET state = ?, rows_landed = ?, rows_valid = ?, rows_quarantined = ?,"
                " reasons = ?, failed = ?, parts = ?, why = NULL WHERE batch_id = ?",
                (
                    state,
                    outcome.rows_landed,
                    outcome.rows_valid,
                    outcome.rows_quarantined,
                    _json(outcome.reasons),
                    _json(outcome.failed),
                    _json(outcome.parts),
                    batch_id,
                ),
            ).rowcount
            if not changed:
                raise UnknownBatch(f"no batch {batch_id!r}")
            _note(
                connection,
                batch_id,
                state.value,
                now,
                details={
                    "rows_landed": outcome.rows_landed,
                    "rows_valid": outcome.rows_valid,
                    "rows_quarantined": outcome.rows_quarantined,
                    "failed": outcome.failed,
                },
            )
        return state

    def accept(self, batch_id: str, *, why: str, who: str, now: datetime) -> Batch:
        """Admit a held batch on purpose; the reason stays in the audit trail."""
        batch = self.batch(batch_id)
        if batch.state is not State.HELD:
            raise UnknownBatch(
                f"batch {batch.batch_id!r} is {batch.state.value};"
                " only a held batch can be accepted on purpose"
            )
        batch_id = batch.batch_id
        with self._connected() as connection:
            connection.execute(
                "UPDATE batches SET state = ?, why = ? WHERE batch_id = ?",
                (State.ACCEPTED_ON_PURPOSE, why, batch_id),
            )
            _note(connection, batch_id, State.ACCEPTED_ON_PURPOSE.value, now, who=who, why=why)
        return self.batch(batch_id)

    def note_replay(self, batch_id: str, *, who: str, now: datetime) -> Batch:
        """Note that a batch is read and judged again; its state stays until the new judgement."""
        batch = self.batch(batch_id)
        with self._connected() as connection:
            _note(connection, batch.batch_id, "replayed", now, who=who)
        return batch

    def batch(self, batch_id: str) -> Batch:
        """One batch, by its id or by the 12 digits after the @."""
        found = list(self._select("WHERE batch_id = ? OR batch_id LIKE ?", (batch_id, f"%@{batch_id}")))
        if not found:
            raise UnknownBatch(f"no batch {batch_id!r}; `marketing-platform batches` lists them")
        return found[0]

    def batches(self) -> list[Batch]:
        """Every batch, in order of landing."""
        return list(self._select("", ()))

    def pending(self) -> list[Batch]:
        """Batches that are kept but not judged."""
        return list(self._select("WHERE state = ?", (State.LANDED,)))

    def admitted(self) -> list[Batch]:
        """For each object its newest admitted batch: what a release consists of."""
        return self._newest(ADMITTED)

    def held(self) -> list[Batch]:
        """Held batches that nothing newer of the same object has replaced."""
        return [batch for batch in self.current() if batch.state is State.HELD]

    def current(self) -> list[Batch]:
        """For each object its newest batch, whatever became of it."""
        return self._newest(tuple(State))

    def history(self, batch_id: str) -> list[Event]:
        """The audit trail of one batch, oldest first."""
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT at, batch_id, action, who, why, details FROM audit WHERE batch_id = ? ORDER BY rowid",
                (batch_id,),
            ).fetchall()
        return [
            Event(datetime.fromisoformat(row[0]), *row[1:5], details=orjson.loads(row[5])) for row in rows
        ]

    def _newest(self, states: Iterable[State]) -> list[Batch]:
        wanted = tuple(states)
        marks = ", ".join("?" * len(wanted))
        condition = f"""WHERE batch_id IN (
            SELECT batch_id FROM (
                SELECT batch_id, row_number() OVER (PARTITION BY l.object ORDER BY l.sequence DESC) AS age
                FROM landings l JOIN batches b USING (batch_id) WHERE b.state IN ({marks}))
            WHERE age = 1)"""  # noqa: S608 -- only question marks are put in
        return list(self._select(condition, wanted))

    def _select(self, condition: str, parameters: tuple[object, ...]) -> Iterator[Batch]:
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT batch_id, source, object, content_hash, size, landed_at, sequence, state,"  # noqa: S608
                " rows_landed, rows_valid, rows_quarantined, reasons, failed, parts, why"
                f" FROM batches {condition} ORDER BY sequence",
                parameters,
            ).fetchall()
        for row in rows:
            yield Batch(
                *row[:5],
                landed_at=datetime.fromisoformat(row[5]),
                sequence=row[6],
                state=State(row[7]),
                rows_landed=row[8],
                rows_valid=row[9],
                rows_quarantined=row[10],
                reasons=orjson.loads(row[11]),
                failed=tuple(orjson.loads(row[12])),
                parts=orjson.loads(row[13]),
                why=row[14],
            )

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=60)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)
            with connection:
                yield connection


def _note(
    connection: sqlite3.Connection,
    batch_id: str,
    action: str,
    now: datetime,
    *,
    who: str | None = None,
    why: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    connection.execute(
        "INSERT INTO audit (at, batch_id, action, who, why, details) VALUES (?, ?, ?, ?, ?, ?)",
        (now.astimezone(UTC).isoformat(), batch_id, action, who, why, _json(details or {})),
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
