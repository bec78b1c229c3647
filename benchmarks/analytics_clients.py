"""Simultaneous clients of one API process, each of which looks at a dashboard.

A client opens a view (cards, a trend, a breakdown, the table of campaigns, activity by day: five requests
at once, as a browser sends them), reads for one to three seconds, and opens another, with another period or
filter. Most look at the period everybody looks at, some at their own country. Clients come within the time
that one reads; nothing is asked before them, and what the first ones wait for counts.

Each has a key of its own, as users of a program have that calls the API for them: the limits are what they
are by default, and any answer but 200 fails the measurement.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import httpx

from benchmarks import analytics_data
from benchmarks.page import prose, table
from marketing_platform.cli.processes import api_command, free_port, running, wait_for
from marketing_platform.errors import MarketingPlatformError
from marketing_platform.releases.manifest import TableEntry
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import StoredTable
from marketing_platform.stores.registry import open_stores
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse
from marketing_platform_tests.callers import bearer, new_key
from marketing_platform_tests.serving.conftest import Platform

ROWS = 1_000_000
_KPIS = "/api/v1/kpis"
_PERIODS = (
    ({}, 6),  # the last 30 days of data
    ({"from": "2025-10-01", "to": "2025-12-30"}, 2),
    ({"from": "2025-12-01", "to": "2025-12-30", "against": "year-before"}, 2),
)
_OWN_COUNTRY = 0.4  # share of the views
_READS = (1.0, 3.0)  # seconds
_TIMEOUT = 30.0


@dataclass
class Seen:
    """What the clients saw."""

    clients: int
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.perf_counter)
    ended: float = 0.0

    def at(self, share: float) -> float:
        """The time within which this share of the requests was answered, seconds."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]

    def told(self) -> str:
        took = self.ended - self.started
        return (
            f"{self.clients} clients on {ROWS:,} rows: {len(self.seconds):,} requests in {took:.0f} s"
            f" ({len(self.seconds) / took:.0f} per second, {len(self.views):,} different), answered within"
            f" {self.at(0.5):.3f} s (half), {self.at(0.95):.3f} s (95 %), {max(self.seconds):.3f} s (all);"
            f" statuses {dict(self.statuses)}"
        )

    def section(self) -> tuple[str, str]:
        """The same as paragraph and table."""
        told = f"""Then {self.clients} clients of one API process over {ROWS:,} rows. Each has a key of its
            own and looks at a dashboard: five requests at once, {_READS[0]:.0f} to {_READS[1]:.0f} seconds of
            reading, another period or filter; {len(self.views):,} different questions, nothing asked before
            them. Any answer but 200 fails the run."""
        figures = [
            f"{len(self.seconds):,}",
            f"{self.ended - self.started:.0f} s",
            *(f"{seconds:.2f} s" for seconds in (self.at(0.5), self.at(0.95), max(self.seconds))),
        ]
        head = ("requests", "in", "half within", "95 % within", "all within")
        return prose(told), table(head, [figures])


def measured(folder: Path, clients: int, seconds: float) -> Seen:
    """Publish a release, start the API on it, and let the clients look at it."""
    settings = Settings(data_dir=folder)  # pyright: ignore[reportCallIssue]
    publish(settings)
    port, keys = free_port(), [new_key(settings) for _ in range(clients)]
    with running({"api": api_command("127.0.0.1", port)}, settings, log=folder / "api.log") as processes:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/openapi.json", processes["api"], seconds=120)
        seen = asyncio.run(_all(base, keys, seconds))
    if set(seen.statuses) != {HTTPStatus.OK}:
        raise MarketingPlatformError(f"not everybody was answered, so nothing was measured: {seen.told()}")
    return seen


def publish(settings: Settings) -> None:
    """A release with `ROWS` lines of ads."""
    stores = open_stores(settings)
    platform = Platform(settings, stores, open_records(settings).shelf)
    manifest = platform.build(1)
    assert isinstance(stores.warehouse, DuckDBWarehouse)
    made = analytics_data.make(stores.warehouse, ROWS, "many")
    made["daily_activity"] = analytics_data.make_activity(stores.warehouse, "many")
    tables = {**manifest.tables, **{name: _entry(stored) for name, stored in made.items()}}
    platform.shelf.publish(manifest.model_copy(update={"tables": tables}), expected=None)


def _entry(stored: StoredTable) -> TableEntry:
    columns = {one.name: str(one.type) for one in stored.ref.schema}
    return TableEntry(
        parts=stored.ref.parts, columns=columns, rows=stored.rows, fingerprint=stored.fingerprint
    )


async def _all(base: str, keys: Sequence[str], seconds: float) -> Seen:
    seen = Seen(len(keys))
    until = seen.started + seconds
    clients = (_client(base, key, random.Random(nth), until, seen) for nth, key in enumerate(keys))
    await asyncio.gather(*clients)
    seen.ended = time.perf_counter()
    return seen


async def _client(base: str, key: str, chance: random.Random, until: float, seen: Seen) -> None:
    # Connections of its own, as many as browsers open; nothing here is encrypted.
    async with httpx.AsyncClient(
        base_url=base,
        headers=bearer(key),
        timeout=_TIMEOUT,
        limits=httpx.Limits(max_connections=6, keepalive_expiry=3.0),  # the server closes after 5
        verify=False,
        trust_env=False,
    ) as session:
        await asyncio.sleep(chance.uniform(0, _READS[1]))
        while time.perf_counter() < until:
            await asyncio.gather(*(_request(session, url, query, seen) for url, query in _view(chance)))
            await asyncio.sleep(chance.uniform(*_READS))


def _view(chance: random.Random) -> list[tuple[str, dict[str, str | list[str]]]]:
    """The requests of one look."""
    (period,) = chance.choices([one for one, _ in _PERIODS], [weight for _, weight in _PERIODS])
    who = {}
    if chance.random() < _OWN_COUNTRY:
        who = {"filter": [f"country=country-{chance.randrange(analytics_data.COUNTRIES)}"]}
    common = {**period, **who}
    cards = ["spend", "conversions", "revenue", "cac", "roas", "ctr"]
    offset = str(50 * chance.randrange(20))
    return [
        (_KPIS, {"kpi": cards, **common}),
        (_KPIS, {"kpi": ["spend", "roas"], "by": "day", **common}),
        (_KPIS, {"kpi": ["cac", "roas"], "by": ["platform", "device"], **common}),
        (_KPIS, {"kpi": cards, "by": "campaign", "order_by": "roas", "limit": "50", **common}),
        ("/analytics/daily-activity", {"sort": "date", "order": "desc", "limit": "50", "offset": offset}),
    ]


async def _request(
    session: httpx.AsyncClient, url: str, query: dict[str, str | list[str]], seen: Seen
) -> None:
    started = time.perf_counter()
    response = await session.get(url, params=query)
    seen.seconds.append(time.perf_counter() - started)
    seen.statuses[response.status_code] += 1
    seen.views[str(response.url)] += 1
