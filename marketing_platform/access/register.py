"""Where API keys are kept: who has which, what it permits, until when, and when it was last used.

A key itself is not here, only its HMAC. Nothing is deleted: a revoked key stays as evidence. Every change
but the last use counts the revision up, by which processes notice it (`keyring.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from marketing_platform.access.principals import Scope
from marketing_platform.errors import UnknownKey
from marketing_platform.stores.records import Execute, RecordsDatabase, Tables

KEY_TABLES: Tables = {
    "api_keys": """
CREATE TABLE IF NOT EXISTS api_keys (
    key_id TEXT PRIMARY KEY, mac TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, scopes TEXT NOT NULL,
    created_at TEXT NOT NULL, created_by TEXT NOT NULL, expires_at TEXT, revoked_at TEXT, revoked_by TEXT,
    replaced_by TEXT, last_used_at TEXT, revision BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS api_keys_by_revision ON api_keys (revision)"""
}
_KEYS: LiteralString = """
SELECT key_id, mac, name, owner, scopes, created_at, created_by, expires_at, revoked_at, revoked_by,
    replaced_by, last_used_at
FROM api_keys"""
_INSERT: LiteralString = """
INSERT INTO api_keys (key_id, mac, name, owner, scopes, created_at, created_by, expires_at, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, (SELECT coalesce(max(revision), 0) + 1 FROM api_keys))"""
_REVOKE: LiteralString = """
UPDATE api_keys SET revoked_at = $1, revoked_by = $2, replaced_by = $3,
    revision = (SELECT coalesce(max(revision), 0) + 1 FROM api_keys)
WHERE key_id = $4"""
_USED: LiteralString = """
UPDATE api_keys SET last_used_at = $1
WHERE key_id = $2 AND (last_used_at IS NULL OR last_used_at < $3)"""


@dataclass(frozen=True)
class KeyRecord:
    """One key, without what makes it one. Moments are UTC."""

    key_id: str
    mac: bytes
    name: str  # what it is for
    owner: str  # who is asked when it leaks
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None  # never
    revoked_at: datetime | None = None  # may lie ahead, while another key takes over
    revoked_by: str | None = None
    replaced_by: str | None = None  # the key that takes over
    last_used_at: datetime | None = None  # to the minute

    def state(self, now: datetime) -> str:
        """`active`, `ending` (revoked, but not yet), `revoked` or `expired`."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active" if self.revoked_at is None else "ending"


class KeyRegister:
    """API keys in a database; every change is one transaction."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def revision(self) -> int:
        """Another number after every change."""
        with self._database.reading() as execute:
            ((revision,),) = execute("SELECT coalesce(max(revision), 0) FROM api_keys")
        return revision

    def all(self) -> list[KeyRecord]:
        """Every key there ever was, oldest first."""
        with self._database.reading() as execute:
            return [_record(row) for row in execute(f"{_KEYS} ORDER BY created_at, key_id")]

    def add(self, record: KeyRecord) -> None:
        """Keep a new key."""
        with self._database.writing() as execute:
            _insert(execute, record)

    def revoke(self, key_id: str, *, at: datetime, who: str) -> KeyRecord:
        """End a key at a moment; an end that is earlier already stays. UnknownKey when there is none."""
        with self._database.writing() as execute:
            return _revoke(execute, key_id, at=at, who=who, replaced_by=None)

    def replace(self, key_id: str, record: KeyRecord, *, at: datetime, who: str) -> KeyRecord:
        """Keep a new key that takes over from another, which ends at a moment."""
        with self._database.writing() as execute:
            _insert(execute, record)
            return _revoke(execute, key_id, at=at, who=who, replaced_by=record.key_id)

    def note_used(self, moments: Mapping[str, datetime]) -> None:
        """When keys were last used; what is there and later stays."""
        with self._database.writing() as execute:
            for key_id, at in moments.items():
                execute(_USED, at.isoformat(), key_id, at.isoformat())


def _insert(execute: Execute, record: KeyRecord) -> None:
    execute(
        _INSERT,
        record.key_id,
        record.mac.hex(),
        record.name,
        record.owner,
        " ".join(sorted(record.scopes)),
        record.created_at.isoformat(),
        record.created_by,
        _written(record.expires_at),
    )


def _revoke(execute: Execute, key_id: str, *, at: datetime, who: str, replaced_by: str | None) -> KeyRecord:
    before = _one(execute, key_id)
    end = at if before.revoked_at is None else min(at, before.revoked_at)
    execute(_REVOKE, end.isoformat(), who, replaced_by or before.replaced_by, key_id)
    return _one(execute, key_id)


def _one(execute: Execute, key_id: str) -> KeyRecord:
    found = execute(f"{_KEYS} WHERE key_id = $1", key_id)
    if not found:
        raise UnknownKey(f"no API key {key_id!r}; `marketing-platform keys list` shows them")
    return _record(found[0])


def _record(row: tuple[Any, ...]) -> KeyRecord:
    return KeyRecord(
        key_id=row[0],
        mac=bytes.fromhex(row[1]),
        name=row[2],
        owner=row[3],
        scopes=frozenset(Scope(scope) for scope in row[4].split()),
        created_at=datetime.fromisoformat(row[5]),
        created_by=row[6],
        expires_at=_read(row[7]),
        revoked_at=_read(row[8]),
        revoked_by=row[9],
        replaced_by=row[10],
        last_used_at=_read(row[11]),
    )


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(moment: str | None) -> datetime | None:
    return None if moment is None else datetime.fromisoformat(moment)
