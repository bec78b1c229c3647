"""Users who are to be forgotten: who asked, what was found where, and when it went.

An erasure is asked for, its rows are rewritten out of everything that was landed before, and it is done
once no release is kept that was made of those rows. Until then whoever answers masks the user in the
releases that `masked` names. What is rewritten, and how, is in `ingestion/erasing.py`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from marketing_platform.errors import UnknownErasure
from marketing_platform.stores.records import Execute, RecordsDatabase, Tables

ERASURE_TABLES: Tables = {
    "erasures": """
CREATE TABLE IF NOT EXISTS erasures (
    erasure_id TEXT PRIMARY KEY, change BIGINT NOT NULL UNIQUE, user_id TEXT NOT NULL, who TEXT NOT NULL,
    asked_at TEXT NOT NULL, rows_gone_at TEXT, done_at TEXT)""",
    "erased_from": """
CREATE TABLE IF NOT EXISTS erased_from (
    number {counter}, erasure_id TEXT NOT NULL, place TEXT NOT NULL, name TEXT NOT NULL,
    records BIGINT NOT NULL, gone_at TEXT NOT NULL)""",
}
_COLUMNS: LiteralString = "SELECT erasure_id, user_id, who, asked_at, rows_gone_at, done_at FROM erasures"


@dataclass(frozen=True)
class Erasure:
    """One user who is to be forgotten."""

    erasure_id: str
    user_id: str  # once it is done `sha256:…` of the id, so that the record forgets it too
    who: str
    asked_at: datetime
    rows_gone_at: datetime | None = None  # releases made later know nothing of the user
    done_at: datetime | None = None  # no release that was made earlier is kept


@dataclass(frozen=True)
class Place:
    """Where something of the user was, and when it went."""

    place: str  # a role of datastores, such as `warehouse`
    name: str
    records: int
    gone_at: datetime


class Erasures:
    """Erasures in a database that has ERASURE_TABLES; safe for many processes and threads at once."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def ask(self, user_id: str, *, who: str, now: datetime) -> Erasure:
        """Ask for a user to be forgotten; asking again before the rows are gone is the same erasure."""
        with self._database.writing() as execute:
            there = _select(execute, f"{_COLUMNS} WHERE user_id = $1 AND rows_gone_at IS NULL", user_id)
            if there:
                return there[0]
            asked = Erasure(f"e-{secrets.token_hex(8)}", user_id, who, now)
            execute(
                "INSERT INTO erasures (erasure_id, change, user_id, who, asked_at)"
                " VALUES ($1, $2, $3, $4, $5)",
                asked.erasure_id,
                _next_change(execute),
                user_id,
                who,
                now.isoformat(),
            )
            return asked

    def get(self, erasure_id: str) -> tuple[Erasure, list[Place]]:
        """An erasure and where the user was; UnknownErasure when there is none of that id."""
        with self._database.reading() as execute:
            found = _select(execute, f"{_COLUMNS} WHERE erasure_id = $1", erasure_id)
            rows = execute(
                "SELECT place, name, records, gone_at FROM erased_from WHERE erasure_id = $1 ORDER BY number",
                erasure_id,
            )
        if not found:
            raise UnknownErasure(f"no erasure {erasure_id[:100]!r}")
        return found[0], [Place(*row[:3], gone_at=datetime.fromisoformat(row[3])) for row in rows]

    def waiting(self) -> list[Erasure]:
        """Those whose rows are not gone yet, oldest first."""
        with self._database.reading() as execute:
            return _select(execute, f"{_COLUMNS} WHERE rows_gone_at IS NULL ORDER BY change")

    def unfinished(self) -> list[Erasure]:
        """Those whose rows are gone, while releases may be kept that were made of them; oldest first."""
        return [one for one in self.changes(0)[0] if one.rows_gone_at is not None and one.done_at is None]

    def note(self, erasure_id: str, place: str, name: str, *, records: int, now: datetime) -> None:
        """Note that something of the user is gone from a place."""
        with self._database.writing() as execute:
            execute(
                "INSERT INTO erased_from (erasure_id, place, name, records, gone_at)"
                " VALUES ($1, $2, $3, $4, $5)",
                erasure_id,
                place,
                name,
                records,
                now.isoformat(),
            )

    def rows_gone(self, erasure_id: str, *, now: datetime) -> None:
        """Note that nothing the next release is made of knows the user."""
        with self._database.writing() as execute:
            execute(
                "UPDATE erasures SET change = $1, rows_gone_at = $2 WHERE erasure_id = $3",
                _next_change(execute),
                now.isoformat(),
                erasure_id,
            )

    def done(self, erasure: Erasure, *, now: datetime) -> None:
        """Note that nothing knows the user any more, and forget the id here too."""
        with self._database.writing() as execute:
            execute(
                "UPDATE erasures SET change = $1, done_at = $2, user_id = $3 WHERE erasure_id = $4",
                _next_change(execute),
                now.isoformat(),
                _forgotten(erasure.user_id),
                erasure.erasure_id,
            )

    def is_forgotten(self, user_id: str) -> bool:
        """Whether an erasure of the user was done; they may have come back since."""
        with self._database.reading() as execute:
            return bool(execute("SELECT 1 FROM erasures WHERE user_id = $1", _forgotten(user_id)))

    def changes(self, after: int) -> tuple[list[Erasure], int]:
        """What was asked for or went on after the change of that number, and the number of the last one."""
        with self._database.reading() as execute:
            found = _select(execute, f"{_COLUMNS} WHERE change > $1 ORDER BY change", after)
            return found, execute("SELECT coalesce(max(change), 0) FROM erasures")[0][0]

    def masked(self, made_at: datetime) -> frozenset[str]:
        """The users whom a release that was made then must not show."""
        return masked(self.changes(0)[0], made_at)


def masked(erasures: Iterable[Erasure], made_at: datetime) -> frozenset[str]:
    """The users whom a release that was made then must not show."""
    return frozenset(
        one.user_id
        for one in erasures
        if one.done_at is None and (one.rows_gone_at is None or made_at <= one.rows_gone_at)
    )


def _forgotten(user_id: str) -> str:
    return f"sha256:{hashlib.sha256(user_id.encode()).hexdigest()}"


def _next_change(execute: Execute) -> int:
    return execute("SELECT coalesce(max(change), 0) + 1 FROM erasures")[0][0]


def _select(execute: Execute, sql: LiteralString, *values: object) -> list[Erasure]:
    return [
        Erasure(row[0], row[1], row[2], datetime.fromisoformat(row[3]), _moment(row[4]), _moment(row[5]))
        for row in execute(sql, *values)
    ]


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
