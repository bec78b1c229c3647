"""Events that are to be told to others, and how far each delivery is.

An event is known by its id: adding it again changes nothing. What events are, who is told and how is said in
`automations/`. Deliveries are claimed before they are tried, so that one whose process was killed is due
again when its claim ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString

from marketing_platform.stores.records import RecordsDatabase, Tables, as_text

OUTBOX_TABLES: Tables = {
    "webhook_events": """
CREATE TABLE IF NOT EXISTS webhook_events (
    event_id TEXT PRIMARY KEY, type TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL,
    addressed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS webhook_events_to_address ON webhook_events (addressed, at)""",
    "webhook_deliveries": """
CREATE TABLE IF NOT EXISTS webhook_deliveries (
    event_id TEXT NOT NULL, endpoint TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    next_at TEXT NOT NULL, problem TEXT, PRIMARY KEY (event_id, endpoint));
CREATE INDEX IF NOT EXISTS webhook_deliveries_due ON webhook_deliveries (endpoint, state, next_at)""",
    "webhook_looks": """
CREATE TABLE IF NOT EXISTS webhook_looks (
    number INTEGER PRIMARY KEY, began TEXT NOT NULL, looked_at TEXT NOT NULL)""",
}

State = Literal["waiting", "delivered", "dead"]

_DELIVERIES: LiteralString = """
SELECT d.event_id, e.type, e.at, e.body, d.endpoint, d.state, d.attempts, d.next_at, d.problem
FROM webhook_deliveries d JOIN webhook_events e USING (event_id)"""


@dataclass(frozen=True)
class OutboxEvent:
    """Something that happened, as others are told of it."""

    event_id: str
    type: str
    at: datetime  # UTC
    body: str  # JSON; every delivery carries these very bytes


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint."""

    event: OutboxEvent
    endpoint: str
    state: State
    attempts: int  # begun, the one under way included
    next_at: datetime  # when it is due; of one that is claimed, when its claim ends
    problem: str | None  # of the last attempt that failed


class Outbox:
    """In a database that all processes share; every change is one transaction."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def add(self, events: Iterable[OutboxEvent]) -> None:
        """Keep events that are not known yet."""
        events = list(events)
        if not events:
            return
        with self._database.writing() as execute:
            for event in events:
                execute(
                    "INSERT INTO webhook_events (event_id, type, at, body) VALUES ($1, $2, $3, $4)"
                    " ON CONFLICT DO NOTHING",
                    event.event_id,
                    event.type,
                    as_text(event.at),
                    event.body,
                )

    def look(self, now: datetime, *, back: timedelta) -> datetime:
        """From when on events are to be looked for: the last complete look; `back` before the first one."""
        with self._database.writing() as execute:
            execute(
                "INSERT INTO webhook_looks (number, began, looked_at) VALUES (1, $1, $1)"
                " ON CONFLICT DO NOTHING",
                as_text(now - back),
            )
            ((looked_at,),) = execute("SELECT looked_at FROM webhook_looks")
        return datetime.fromisoformat(looked_at)

    def looked(self, at: datetime) -> None:
        """Everything that happened until then is in the outbox."""
        with self._database.writing() as execute:
            execute("UPDATE webhook_looks SET looked_at = $1", as_text(at))

    def address(self, subscribers: Mapping[str, Sequence[str]], *, now: datetime) -> None:
        """Make deliveries of events that have none yet.

        Args:
            subscribers: The endpoints that are told of each type of event.
            now: From when on they are due.
        """
        with self._database.writing() as execute:
            rows = execute(
                "SELECT event_id, type FROM webhook_events WHERE addressed = 0"
                " AND at >= (SELECT began FROM webhook_looks)"
            )
            for event_id, kind in rows:
                for endpoint in subscribers.get(kind, ()):
                    execute(
                        "INSERT INTO webhook_deliveries (event_id, endpoint, state, attempts, next_at)"
                        " VALUES ($1, $2, 'waiting', 0, $3) ON CONFLICT DO NOTHING",
                        event_id,
                        endpoint,
                        as_text(now),
                    )
                execute("UPDATE webhook_events SET addressed = 1 WHERE event_id = $1", event_id)

    def claim(self, endpoint: str, *, now: datetime, lease: timedelta, limit: int) -> list[Delivery]:
        """Deliveries that are due, oldest first; nobody else gets them before `lease` is over."""
        with self._database.writing() as execute:
            rows = execute(
                f"{_DELIVERIES} WHERE d.endpoint = $1 AND d.state = 'waiting' AND d.next_at <= $2"
                " ORDER BY d.next_at, e.at LIMIT $3",
                endpoint,
                as_text(now),
                limit,
            )
            for row in rows:
                execute(
                    "UPDATE webhook_deliveries SET attempts = attempts + 1, next_at = $1"
                    " WHERE event_id = $2 AND endpoint = $3",
                    as_text(now + lease),
                    row[0],
                    endpoint,
                )
        return [_delivery((*row[:6], row[6] + 1, *row[7:])) for row in rows]

    def delivered(self, delivery: Delivery) -> None:
        """It arrived."""
        self._settle(delivery, "delivered", delivery.next_at, None)

    def failed(self, delivery: Delivery, problem: str, *, again_at: datetime | None) -> None:
        """It did not arrive; it is tried again then, or is a dead letter when that is None."""
        state = "dead" if again_at is None else "waiting"
        self._settle(delivery, state, again_at or delivery.next_at, problem)

    def deliveries(
        self, *, state: State | None = None, endpoint: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries, the newest event first."""
        with self._database.reading() as execute:
            rows = execute(
                f"{_DELIVERIES} WHERE ($1 = '' OR d.state = $1) AND ($2 = '' OR d.endpoint = $2)"
                " ORDER BY e.at DESC, d.event_id, d.endpoint LIMIT $3",
                state or "",
                endpoint or "",
                limit,
            )
        return [_delivery(row) for row in rows]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many deliveries there are, by endpoint and state."""
        with self._database.reading() as execute:
            rows = execute(
                "SELECT endpoint, state, COUNT(*) FROM webhook_deliveries GROUP BY endpoint, state"
            )
        return {(endpoint, state): count for endpoint, state, count in rows}

    def replay(
        self, *, now: datetime, event_id: str | None = None, endpoint: str | None = None
    ) -> list[tuple[str, str]]:
        """Make dead letters due again, with all their attempts; of a named event also what arrived.

        Returns:
            Event and endpoint of each.
        """
        with self._database.writing() as execute:
            rows = execute(
                "UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, next_at = $1"
                " WHERE ((state = 'dead' AND $2 = '') OR (state <> 'waiting' AND event_id = $2))"
                " AND ($3 = '' OR endpoint = $3) RETURNING event_id, endpoint",
                as_text(now),
                event_id or "",
                endpoint or "",
            )
        return sorted((row[0], row[1]) for row in rows)

    def purge(self, before: datetime) -> None:
        """Forget deliveries of events that happened before then, and events that nobody is told any more.

        Anomalies are remembered: each release finds those of the past again.
        """
        with self._database.writing() as execute:
            execute(
                "DELETE FROM webhook_deliveries WHERE event_id IN"
                # One that waits and was not due to be tried for so long is of an endpoint that is gone.
                " (SELECT event_id FROM webhook_events WHERE at < $1)"
                " AND (state <> 'waiting' OR next_at < $1)",
                as_text(before),
            )
            execute(
                "DELETE FROM webhook_events WHERE at < $1 AND type <> 'kpi.anomaly' AND event_id NOT IN"
                " (SELECT event_id FROM webhook_deliveries)",
                as_text(before),
            )

    def _settle(self, delivery: Delivery, state: State, next_at: datetime, problem: str | None) -> None:
        with self._database.writing() as execute:
            execute(
                "UPDATE webhook_deliveries SET state = $1, next_at = $2, problem = $3"
                # Whoever claimed it later decides.
                " WHERE event_id = $4 AND endpoint = $5 AND attempts = $6",
                state,
                as_text(next_at),
                problem,
                delivery.event.event_id,
                delivery.endpoint,
                delivery.attempts,
            )


def _delivery(row: tuple[Any, ...]) -> Delivery:
    event = OutboxEvent(row[0], row[1], datetime.fromisoformat(row[2]), row[3])
    return Delivery(event, row[4], row[5], row[6], datetime.fromisoformat(row[7]), row[8])
