"""What the installation remembers of writes: answers to idempotency keys, and what signs receipts.

The contents are in the landing zone, and what becomes of them in the ledger.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from marketing_platform.stores.records import RecordsDatabase, Tables, as_text, installation_key

WRITES_TABLES: Tables = {
    "idempotency": """
CREATE TABLE IF NOT EXISTS idempotency (
    record TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, receipt TEXT, attempt TEXT NOT NULL,
    started_at TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS idempotency_by_end ON idempotency (expires_at)""",
    "receipt_key": """
CREATE TABLE IF NOT EXISTS receipt_key (number INTEGER PRIMARY KEY, key TEXT NOT NULL)""",
}

_PURGE_EVERY = 60.0  # seconds


class Standing(StrEnum):
    """What is known of a key when a request with it comes."""

    NEW = "new"  # ours to carry out
    IN_FLIGHT = "in flight"  # somebody carries it out right now
    OTHER = "other"  # it was used for something else
    DONE = "done"


@dataclass(frozen=True)
class Begun:
    """Where a request with a key stands; `receipt` is there once it is done."""

    standing: Standing
    receipt: str | None = None


class Completed(NamedTuple):
    """An attempt that has written what was asked."""

    record: str
    attempt: str
    receipt: str


def record_name(principal: str, key: str) -> str:
    """The name under which a principal's key is remembered; keys of others never meet it."""
    return hashlib.sha256(f"{len(principal)}:{principal}{key}".encode()).hexdigest()


class Writes:
    """In a database that all processes share; every change is one transaction."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database
        self._purged = float("-inf")

    def begin(
        self, record: str, fingerprint: str, *, attempt: str, now: datetime, lease: timedelta, keep: timedelta
    ) -> Begun:
        """Claim a key for one attempt, unless it was used within `keep`.

        Args:
            record: As `record_name` makes it.
            fingerprint: Of what is asked; the same request has the same.
            attempt: Unique.
            now: The moment of the request.
            lease: An attempt that is not completed by then has died, and the next may try.
            keep: How long the answer is remembered.
        """
        with self._database.writing() as execute:
            if time.monotonic() - self._purged > _PURGE_EVERY:
                execute("DELETE FROM idempotency WHERE expires_at < $1", as_text(now))
                self._purged = time.monotonic()
            found = execute(
                "SELECT fingerprint, receipt, started_at FROM idempotency"
                " WHERE record = $1 AND expires_at >= $2",
                record,
                as_text(now),
            )
            if found:
                known, receipt, started_at = found[0]
                if known != fingerprint:
                    return Begun(Standing.OTHER)
                if receipt is not None:
                    return Begun(Standing.DONE, receipt)
                if datetime.fromisoformat(started_at) + lease > now:
                    return Begun(Standing.IN_FLIGHT)
            execute(
                "INSERT INTO idempotency (record, fingerprint, receipt, attempt, started_at, expires_at)"
                " VALUES ($1, $2, NULL, $3, $4, $5)"
                " ON CONFLICT (record) DO UPDATE SET fingerprint = excluded.fingerprint, receipt = NULL,"
                " attempt = excluded.attempt, started_at = excluded.started_at,"
                " expires_at = excluded.expires_at",
                record,
                fingerprint,
                attempt,
                as_text(now),
                as_text(now + keep),
            )
            return Begun(Standing.NEW)

    def complete(self, done: Iterable[Completed]) -> None:
        """Remember the receipts of attempts, but of those whose key another attempt has by now."""
        with self._database.writing() as execute:
            for one in done:
                execute(
                    "UPDATE idempotency SET receipt = $1 WHERE record = $2 AND attempt = $3",
                    one.receipt,
                    one.record,
                    one.attempt,
                )

    def abandon(self, record: str, *, attempt: str) -> None:
        """Free the key of an attempt that wrote nothing."""
        with self._database.writing() as execute:
            execute(
                "DELETE FROM idempotency WHERE record = $1 AND attempt = $2 AND receipt IS NULL",
                record,
                attempt,
            )

    def receipt_key(self) -> bytes:
        """What receipts of this installation are signed with; made on first use."""
        return installation_key(self._database, "receipt_key")
