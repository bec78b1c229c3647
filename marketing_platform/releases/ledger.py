"""The ledger of batches: what landed, what became of it, and who decided so.

A batch is one version of one landed object, known by its content: landing the same bytes again
changes nothing, under whatever name. An object that is overwritten gets a new batch, and the
newest admitted batch of each object is the one that counts. Rows are not here: raw records are
in the documents store, valid rows in the warehouse.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, LiteralString

import orjson

from marketing_platform.errors import UnknownBatch
from marketing_platform.stores.protocols import LandedObject
from marketing_platform.stores.records import Execute, RecordsDatabase, Tables

LEDGER_TABLES: Tables = {
    "batches": """
CREATE TABLE IF NOT EXISTS batches (
    batch_id TEXT PRIMARY KEY, source TEXT NOT NULL, object TEXT NOT NULL, content_hash TEXT NOT NULL,
    size BIGINT NOT NULL, landed_at TEXT NOT NULL, sequence BIGINT NOT NULL, state TEXT NOT NULL,
    rows_landed BIGINT NOT NULL DEFAULT 0, rows_valid BIGINT NOT NULL DEFAULT 0,
    rows_quarantined BIGINT NOT NULL DEFAULT 0, reasons TEXT NOT NULL DEFAULT '{}',
    failed TEXT NOT NULL DEFAULT '[]', parts TEXT NOT NULL DEFAULT '{}', why TEXT);
CREATE INDEX IF NOT EXISTS batches_by_content ON batches (content_hash)""",
    "landings": """
CREATE TABLE IF NOT EXISTS landings (
    sequence {counter}, object TEXT NOT NULL, generation TEXT NOT NULL,
    batch_id TEXT NOT NULL, seen_at TEXT NOT NULL, UNIQUE (object, generation))""",
    # SQLite calls the number of a row so anyway.
    "audit": """
CREATE TABLE IF NOT EXISTS audit (
    rowid {counter}, at TEXT NOT NULL, batch_id TEXT NOT NULL, action TEXT NOT NULL,
    who TEXT, why TEXT, details TEXT);
CREATE INDEX IF NOT EXISTS audit_by_batch ON audit (batch_id);
CREATE INDEX IF NOT EXISTS audit_by_time ON audit (at)""",
}

_BATCHES: LiteralString = """
SELECT batch_id, source, object, content_hash, size, landed_at, sequence, state, rows_landed, rows_valid,
    rows_quarantined, reasons, failed, parts, why
FROM batches"""
_EVENTS: LiteralString = "SELECT at, batch_id, action, who, why, details FROM audit"
_ANY_SEQUENCE = 2**62  # above every one there is
_SUFFIX = re.compile("[0-9a-f]{12}")  # what suffix_of a batch id looks like


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
class Remaining:
    """What is left of a judged batch after records were taken out of it."""

    rows_landed: int
    rows_valid: int
    rows_quarantined: int
    reasons: Mapping[str, int]
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
    """The ledger in a database; every change is one transaction."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def seen(self) -> set[tuple[str, str]]:
        """(object, generation) of everything registered."""
        with self._database.reading() as execute:
            return {(row[0], row[1]) for row in execute("SELECT object, generation FROM landings")}

    def register(
        self, landed: LandedObject, *, source: str, content_hash: str, now: datetime
    ) -> tuple[str, bool]:
        """Note that an object landed; returns its batch id and whether that content is new here."""
        with self._database.writing() as execute:
            known = execute(
                "SELECT batch_id, object FROM batches WHERE source = $1 AND content_hash = $2",
                source,
                content_hash,
            )
            batch_id = known[0][0] if known else batch_id_of(source, landed.name, content_hash)
            ((sequence,),) = execute(
                "INSERT INTO landings (object, generation, batch_id, seen_at) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (object, generation) DO UPDATE SET seen_at = excluded.seen_at"
                " RETURNING sequence",
                landed.name,
                landed.generation,
                batch_id,
                now.isoformat(),
            )
            if not known:
                execute(
                    "INSERT INTO batches"
                    " (batch_id, source, object, content_hash, size, landed_at, sequence, state)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    batch_id,
                    source,
                    landed.name,
                    content_hash,
                    landed.size,
                    now.isoformat(),
                    sequence,
                    State.LANDED.value,
                )
                _note(execute, batch_id, "landed", now, details={"object": landed.name, "size": landed.size})
            elif known[0][1] != landed.name:
                _note(execute, batch_id, "landed again", now, details={"object": landed.name})
            return batch_id, not known

    def judge(self, batch_id: str, outcome: Outcome, *, now: datetime) -> State:
        """Record what a batch came to, and admit or hold it."""
        state = State.HELD if outcome.failed else State.ACCEPTED
        with self._database.writing() as execute:
            changed = execute(
                "UPDATE batches SET state = $1, rows_landed = $2, rows_valid = $3, rows_quarantined = $4,"
                " reasons = $5, failed = $6, parts = $7, why = NULL WHERE batch_id = $8 RETURNING batch_id",
                state.value,
                outcome.rows_landed,
                outcome.rows_valid,
                outcome.rows_quarantined,
                _json(outcome.reasons),
                _json(outcome.failed),
                _json(outcome.parts),
                batch_id,
            )
            if not changed:
                raise UnknownBatch(f"no batch {batch_id!r}")
            _note(
                execute,
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

    def keep_only(self, batch_id: str, remaining: Remaining, *, now: datetime) -> None:
        """Record that records of erased users are out of a batch; how it was judged stays."""
        with self._database.writing() as execute:
            batch = _one(execute, batch_id)
            execute(
                "UPDATE batches SET rows_landed = $1, rows_valid = $2, rows_quarantined = $3, reasons = $4,"
                " parts = $5 WHERE batch_id = $6",
                remaining.rows_landed,
                remaining.rows_valid,
                remaining.rows_quarantined,
                _json(remaining.reasons),
                _json(remaining.parts),
                batch.batch_id,
            )
            gone = batch.rows_landed - remaining.rows_landed
            _note(execute, batch.batch_id, "erased", now, details={"rows": gone})

    def accept(self, batch_id: str, *, why: str, who: str, now: datetime) -> Batch:
        """Admit a held batch on purpose; the reason stays in the audit trail."""
        with self._database.writing() as execute:
            batch = _one(execute, batch_id)
            if batch.state is not State.HELD:
                raise UnknownBatch(
                    f"batch {batch.batch_id!r} is {batch.state.value};"
                    " only a held batch can be accepted on purpose"
                )
            execute(
                "UPDATE batches SET state = $1, why = $2 WHERE batch_id = $3",
                State.ACCEPTED_ON_PURPOSE.value,
                why,
                batch.batch_id,
            )
            _note(execute, batch.batch_id, State.ACCEPTED_ON_PURPOSE.value, now, who=who, why=why)
            return _one(execute, batch.batch_id)

    def note_replay(self, batch_id: str, *, who: str, now: datetime) -> Batch:
        """Note that a batch is read and judged again; its state stays until the new judgement."""
        with self._database.writing() as execute:
            batch = _one(execute, batch_id)
            _note(execute, batch.batch_id, "replayed", now, who=who)
        return batch

    def batch(self, batch_id: str) -> Batch:
        """One batch, by its id or by the 12 digits after the @."""
        with self._database.reading() as execute:
            return _one(execute, batch_id)

    def batches(self) -> list[Batch]:
        """Every batch, in order of landing."""
        return self._select(f"{_BATCHES} ORDER BY sequence")

    def pending(self) -> list[Batch]:
        """Batches that are kept but not judged."""
        return self._select(f"{_BATCHES} WHERE state = $1 ORDER BY sequence", State.LANDED.value)

    def names_of(self, batch_id: str) -> list[str]:
        """Every name under which the content of a batch has landed."""
        with self._database.reading() as execute:
            rows = execute("SELECT DISTINCT object FROM landings WHERE batch_id = $1 ORDER BY 1", batch_id)
        return [row[0] for row in rows]

    def admitted(self) -> list[Batch]:
        """For each object its newest admitted batch: what a release consists of."""
        return self._select(_newest("WHERE state IN ($1, $2)"), *(state.value for state in ADMITTED))

    def held(self) -> list[Batch]:
        """Held batches that nothing newer of the same object has replaced."""
        return [batch for batch in self.current() if batch.state is State.HELD]

    def current(self) -> list[Batch]:
        """For each object its newest batch, whatever became of it."""
        return self._select(_newest(""))

    def of_object(self, name: str) -> Batch | None:
        """The batch that landed last under the name of an object, whatever became of it."""
        found = self._select(
            f"{_BATCHES} WHERE batch_id = (SELECT batch_id FROM landings WHERE object = $1"  # noqa: S608
            " ORDER BY sequence DESC LIMIT 1)",
            name,
        )
        return found[0] if found else None

    def last_before(self, folder: str, name: str) -> Batch | None:
        """The batch of the last object of a folder, by name, that is not behind the object `name`."""
        inside = f"{folder}/"
        found = self._select(
            f"{_BATCHES} WHERE batch_id = (SELECT batch_id FROM landings"  # noqa: S608
            # By the beginning, not by order alone: databases order punctuation each in its own way.
            " WHERE substr(object, 1, $1) = $2 AND object <= $3 ORDER BY object DESC LIMIT 1)",
            len(inside),
            inside,
            name,
        )
        return found[0] if found else None

    def page(
        self, *, limit: int, before: int | None = None, state: State | None = None, source: str | None = None
    ) -> list[Batch]:
        """Batches of a state and source, the newest landing first, at most `limit`; from `before` on down."""
        return self._select(
            f"{_BATCHES} WHERE sequence < $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR source = $3)"
            " ORDER BY sequence DESC LIMIT $4",
            _ANY_SEQUENCE if before is None else before,
            state.value if state else "",
            source or "",
            limit,
        )

    def history(self, batch_id: str) -> list[Event]:
        """The audit trail of one batch, oldest first."""
        with self._database.reading() as execute:
            return [_event(row) for row in execute(f"{_EVENTS} WHERE batch_id = $1 ORDER BY rowid", batch_id)]

    def judged_since(self, moment: datetime) -> list[Event]:
        """The judgements of batches (accepted, held) since then, oldest first."""
        with self._database.reading() as execute:
            rows = execute(
                f"{_EVENTS} WHERE at >= $1 AND action IN ($2, $3) ORDER BY rowid",
                moment.astimezone(UTC).isoformat(),
                State.ACCEPTED.value,
                State.HELD.value,
            )
        return [_event(row) for row in rows]

    def _select(self, query: LiteralString, *values: object) -> list[Batch]:
        with self._database.reading() as execute:
            return [_batch(row) for row in execute(query, *values)]


def _newest(condition: LiteralString) -> LiteralString:
    """The batches that landed last under their object's name, among those of the condition."""
    return f"""{_BATCHES} WHERE batch_id IN (
        SELECT batch_id FROM (
            SELECT batch_id, row_number() OVER (PARTITION BY l.object ORDER BY l.sequence DESC) AS age
            FROM landings l JOIN batches b USING (batch_id) {condition}) AS aged
        WHERE age = 1) ORDER BY sequence"""  # noqa: S608 -- put together of literals


def _one(execute: Execute, batch_id: str) -> Batch:
    if _SUFFIX.fullmatch(batch_id):
        found = execute(f"{_BATCHES} WHERE batch_id LIKE $1", f"%@{batch_id}")
    else:
        found = execute(f"{_BATCHES} WHERE batch_id = $1", batch_id)
    if not found:
        raise UnknownBatch(f"no batch {batch_id!r}; `marketing-platform batches` lists them")
    return _batch(found[0])


def _batch(row: tuple[Any, ...]) -> Batch:
    return Batch(
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


def _event(row: tuple[Any, ...]) -> Event:
    return Event(datetime.fromisoformat(row[0]), *row[1:5], details=orjson.loads(row[5]))


def _note(
    execute: Execute,
    batch_id: str,
    action: str,
    now: datetime,
    *,
    who: str | None = None,
    why: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    execute(
        "INSERT INTO audit (at, batch_id, action, who, why, details) VALUES ($1, $2, $3, $4, $5, $6)",
        now.astimezone(UTC).isoformat(),
        batch_id,
        action,
        who,
        why,
        _json(details or {}),
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
