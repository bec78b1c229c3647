"""Signed calls that were taken, so that each has its effect once; and the runs that they asked for.

What a call may do, and how it is verified, is said in `automations/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from marketing_platform.stores.records import RecordsDatabase, Tables, as_text

CALL_TABLES: Tables = {
    "hook_calls": """
CREATE TABLE IF NOT EXISTS hook_calls (
    hook TEXT NOT NULL, call_id TEXT NOT NULL, signed_at BIGINT NOT NULL, fingerprint TEXT NOT NULL,
    received_at TEXT NOT NULL, receipt TEXT NOT NULL, PRIMARY KEY (hook, call_id));
CREATE INDEX IF NOT EXISTS hook_calls_by_age ON hook_calls (received_at)""",
    "runs_asked": """
CREATE TABLE IF NOT EXISTS runs_asked (
    number {counter}, name TEXT NOT NULL UNIQUE, job TEXT NOT NULL, asked_at TEXT NOT NULL, run_id TEXT)""",
}


@dataclass(frozen=True)
class Call:
    """A call that was verified, and what it was answered."""

    hook: str
    call_id: str
    signed_at: int  # seconds since 1970
    fingerprint: str  # of the body
    received_at: datetime
    receipt: str


@dataclass(frozen=True)
class RunAsked:
    """A run that a call asked for and nobody has started yet."""

    name: str
    job: str
    asked_at: datetime


class Calls:
    """In a database that all processes share; every change is one transaction."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def find(self, hook: str, call_id: str) -> Call | None:
        """The call of that id, if it was taken."""
        with self._database.reading() as execute:
            rows = execute(
                "SELECT signed_at, fingerprint, received_at, receipt FROM hook_calls"
                " WHERE hook = $1 AND call_id = $2",
                hook,
                call_id,
            )
        if not rows:
            return None
        signed_at, fingerprint, received_at, receipt = rows[0]
        return Call(hook, call_id, signed_at, fingerprint, datetime.fromisoformat(received_at), receipt)

    def note(self, call: Call, *, run: RunAsked | None = None) -> bool:
        """Remember a call and the run it asks for, in one; False when a call of that id was taken already."""
        with self._database.writing() as execute:
            noted = execute(
                "INSERT INTO hook_calls (hook, call_id, signed_at, fingerprint, received_at, receipt)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING call_id",
                call.hook,
                call.call_id,
                call.signed_at,
                call.fingerprint,
                as_text(call.received_at),
                call.receipt,
            )
            if noted and run is not None:
                execute(
                    "INSERT INTO runs_asked (name, job, asked_at) VALUES ($1, $2, $3)",
                    run.name,
                    run.job,
                    as_text(run.asked_at),
                )
        return bool(noted)

    def waiting(self, job: str) -> list[RunAsked]:
        """Runs of a job that were asked for and not started yet, oldest first."""
        with self._database.reading() as execute:
            rows = execute(
                "SELECT name, job, asked_at FROM runs_asked"
                " WHERE job = $1 AND run_id IS NULL ORDER BY number",
                job,
            )
        return [RunAsked(name, job, datetime.fromisoformat(asked_at)) for name, job, asked_at in rows]

    def started(self, asked: Iterable[RunAsked], *, run_id: str) -> None:
        """One run does what all of these asked for."""
        with self._database.writing() as execute:
            for one in asked:
                execute("UPDATE runs_asked SET run_id = $1 WHERE name = $2", run_id, one.name)

    def purge(self, before: datetime) -> None:
        """Forget calls that were received before then, and runs that were started."""
        with self._database.writing() as execute:
            execute("DELETE FROM hook_calls WHERE received_at < $1", as_text(before))
            execute("DELETE FROM runs_asked WHERE asked_at < $1 AND run_id IS NOT NULL", as_text(before))
