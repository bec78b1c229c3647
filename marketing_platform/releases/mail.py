"""Which e-mails were sent to whom, and who wants none any more: records beside the releases.

A send is known by campaign, person and period: it is claimed before anything leaves, so that no crash sends
it twice. A claim that nobody settled is `unknown`: it may have left, and nobody tries it again. Who is to get
what is decided in `mailing/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, LiteralString, NamedTuple

from marketing_platform.stores.records import Execute, RecordsDatabase, Tables, as_text, installation_key

MAIL_TABLES: Tables = {
    "mail_sends": """
CREATE TABLE IF NOT EXISTS mail_sends (
    send_id TEXT PRIMARY KEY, campaign TEXT NOT NULL, period TEXT NOT NULL, user_id TEXT NOT NULL,
    template TEXT NOT NULL, experiment TEXT, variant TEXT NOT NULL, release_id TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, claimed_at TEXT NOT NULL, next_at TEXT NOT NULL,
    problem TEXT, exposed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS mail_sends_of_user ON mail_sends (user_id, claimed_at);
CREATE INDEX IF NOT EXISTS mail_sends_of_campaign ON mail_sends (campaign, period, state)""",
    "mail_unsubscribed": """
CREATE TABLE IF NOT EXISTS mail_unsubscribed (user_id TEXT PRIMARY KEY, at TEXT NOT NULL)""",
    "mail_key": """
CREATE TABLE IF NOT EXISTS mail_key (number INTEGER PRIMARY KEY, key TEXT NOT NULL)""",
}

# sending: claimed, and under way. waiting: refused for now, tried again. dead: given up, nothing left.
# unknown: nobody knows whether it left.
State = Literal["sending", "sent", "waiting", "dead", "unknown"]
_COLUMNS: LiteralString = """
SELECT campaign, period, user_id, template, experiment, variant, release_id, state, attempts, claimed_at,
       next_at, problem FROM mail_sends"""


class Claim(StrEnum):
    """What came of wanting to send."""

    CLAIMED = "claimed"  # ours to send
    ALREADY = "already"  # sent within the period, given up, unknown, or under way elsewhere
    LATER = "later"  # to be tried again, not yet
    CAPPED = "capped"  # the person has got as many e-mails as they may get
    UNSUBSCRIBED = "unsubscribed"


class Send(NamedTuple):
    """One e-mail to one person."""

    campaign: str
    period: str
    user_id: str
    template: str
    experiment: str | None
    variant: str
    release_id: str

    @property
    def send_id(self) -> str:
        """The same for the same campaign, period and person, whatever it says."""
        told = "\n".join(f"{len(part)}:{part}" for part in (self.campaign, self.period, self.user_id))
        return hashlib.sha256(told.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Recorded:
    """A send as it is kept."""

    send: Send
    state: State
    attempts: int
    claimed_at: datetime
    next_at: datetime  # when one that waits is tried again
    problem: str | None  # of the last attempt


class MailLedger:
    """In a database that all processes share; every change is one transaction."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def claim(self, send: Send, *, now: datetime, cap: int, window: timedelta) -> Claim:
        """Take a send on, if it may be sent: once per period, and at most `cap` to one person in `window`."""
        with self._database.writing() as execute:
            if execute("SELECT user_id FROM mail_unsubscribed WHERE user_id = $1", send.user_id):
                return Claim.UNSUBSCRIBED
            known = execute("SELECT state, next_at FROM mail_sends WHERE send_id = $1", send.send_id)
            if known:
                state, next_at = known[0]
                if state != "waiting":
                    return Claim.ALREADY
                if next_at > as_text(now):
                    return Claim.LATER
            ((others,),) = execute(
                "SELECT COUNT(*) FROM mail_sends WHERE user_id = $1 AND claimed_at > $2 AND send_id <> $3"
                " AND state IN ('sending', 'sent', 'unknown')",
                send.user_id,
                as_text(now - window),
                send.send_id,
            )
            if others >= cap:
                return Claim.CAPPED
            _claim(execute, send, now)
            return Claim.CLAIMED

    def settle(
        self, send: Send, state: State, *, problem: str | None = None, next_at: datetime | None = None
    ) -> None:
        """What became of a send that was claimed."""
        with self._database.writing() as execute:
            execute(
                "UPDATE mail_sends SET state = $1, problem = $2, next_at = coalesce($3, next_at)"
                " WHERE send_id = $4",
                state,
                problem,
                as_text(next_at) if next_at else None,
                send.send_id,
            )

    def release_claim(self, send: Send) -> None:
        """Nothing of a claimed send has left, nor was tried: as if it had not been claimed."""
        with self._database.writing() as execute:
            execute(
                "UPDATE mail_sends SET state = 'waiting', attempts = attempts - 1, next_at = claimed_at"
                " WHERE send_id = $1 AND state = 'sending'",
                send.send_id,
            )

    def abandoned(self, before: datetime) -> int:
        """Claims older than that are nobody's any more: they become `unknown`; returns how many."""
        with self._database.writing() as execute:
            rows = execute(
                "UPDATE mail_sends SET state = 'unknown', problem = $1"
                " WHERE state = 'sending' AND claimed_at < $2 RETURNING send_id",
                "its process ended before it knew whether the e-mail had left",
                as_text(before),
            )
        return len(rows)

    def settled(self, campaign: str, period: str) -> frozenset[str]:
        """Who needs not be looked at again within the period: all who have anything but a send that waits."""
        with self._database.reading() as execute:
            rows = execute(
                "SELECT user_id FROM mail_sends WHERE campaign = $1 AND period = $2 AND state <> 'waiting'",
                campaign,
                period,
            )
        return frozenset(row[0] for row in rows)

    def attempts(self, send: Send) -> int:
        """How often it was tried, the attempt under way included."""
        with self._database.reading() as execute:
            rows = execute("SELECT attempts FROM mail_sends WHERE send_id = $1", send.send_id)
        return rows[0][0] if rows else 0

    def sends(
        self, *, state: State | None = None, campaign: str | None = None, limit: int = 100
    ) -> list[Recorded]:
        """Sends, the latest first."""
        with self._database.reading() as execute:
            rows = execute(
                f"{_COLUMNS} WHERE ($1 = '' OR state = $1) AND ($2 = '' OR campaign = $2)"
                " ORDER BY claimed_at DESC, send_id LIMIT $3",
                state or "",
                campaign or "",
                limit,
            )
        return [_recorded(row) for row in rows]

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many sends there are, by campaign, period and state."""
        with self._database.reading() as execute:
            rows = execute(
                "SELECT campaign, period, state, COUNT(*) FROM mail_sends"
                " GROUP BY campaign, period, state ORDER BY campaign, period, state"
            )
        return {(campaign, period, state): count for campaign, period, state, count in rows}

    def first_arm(self, experiment: str, user_id: str) -> str | None:
        """The variant of an experiment that the person was sent first; None when they were sent none."""
        with self._database.reading() as execute:
            rows = execute(
                "SELECT variant FROM mail_sends WHERE user_id = $1 AND experiment = $2"
                " AND state IN ('sent', 'unknown') ORDER BY claimed_at LIMIT 1",
                user_id,
                experiment,
            )
        return rows[0][0] if rows else None

    def unexposed(self, limit: int) -> list[Recorded]:
        """Sends of experiments that left, or may have, and whose exposure is not landed yet; oldest first."""
        with self._database.reading() as execute:
            rows = execute(
                f"{_COLUMNS} WHERE experiment IS NOT NULL AND exposed = 0 AND state IN ('sent', 'unknown')"
                " ORDER BY claimed_at, send_id LIMIT $1",
                limit,
            )
        return [_recorded(row) for row in rows]

    def exposed(self, sends: Iterable[Send]) -> None:
        """The exposures of these have landed."""
        with self._database.writing() as execute:
            for send in sends:
                execute("UPDATE mail_sends SET exposed = 1 WHERE send_id = $1", send.send_id)

    def unsubscribe(self, user_id: str, *, now: datetime) -> bool:
        """No e-mail to this person from now on; returns whether that is new."""
        with self._database.writing() as execute:
            rows = execute(
                "INSERT INTO mail_unsubscribed (user_id, at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
                " RETURNING user_id",
                user_id,
                as_text(now),
            )
        return bool(rows)

    def resubscribe(self, user_id: str) -> bool:
        """Let the person get e-mails again, as far as they agreed; returns whether they had stopped it."""
        with self._database.writing() as execute:
            rows = execute("DELETE FROM mail_unsubscribed WHERE user_id = $1 RETURNING user_id", user_id)
        return bool(rows)

    def unsubscribed(self) -> frozenset[str]:
        """Everybody who wants no e-mail."""
        with self._database.reading() as execute:
            return frozenset(row[0] for row in execute("SELECT user_id FROM mail_unsubscribed"))

    def forget(self, user_id: str) -> int:
        """Remove everything about a person; returns how many sends there were."""
        with self._database.writing() as execute:
            rows = execute("DELETE FROM mail_sends WHERE user_id = $1 RETURNING send_id", user_id)
            execute("DELETE FROM mail_unsubscribed WHERE user_id = $1", user_id)
        return len(rows)

    def signing_key(self) -> bytes:
        """What links to unsubscribe are signed with; made on first use, and kept for as long as mails are."""
        return installation_key(self._database, "mail_key")


def _claim(execute: Execute, send: Send, now: datetime) -> None:
    execute(
        "INSERT INTO mail_sends (send_id, campaign, period, user_id, template, experiment, variant,"
        " release_id, state, attempts, claimed_at, next_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'sending', 1, $9, $9)"
        " ON CONFLICT (send_id) DO UPDATE SET state = 'sending', attempts = mail_sends.attempts + 1,"
        " template = excluded.template, experiment = excluded.experiment, variant = excluded.variant,"
        " release_id = excluded.release_id, claimed_at = excluded.claimed_at",
        send.send_id,
        *send,
        as_text(now),
    )


def _recorded(row: tuple[Any, ...]) -> Recorded:
    claimed_at, next_at = (datetime.fromisoformat(text) for text in row[9:11])
    return Recorded(Send(*row[:7]), row[7], row[8], claimed_at, next_at, row[11])
