"""The release that is being served: opened completely, leased by each request, swapped as one.

`ReleaseHolder` follows the pointer. Everything it keeps is touched by the event loop only, so
it needs no locks; what blocks (opening and closing stores) runs in threads. What a release is
made of belongs to `marketing_platform.releases`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, replace
from datetime import date
from threading import Lock
from typing import Any

import pyarrow as pa
import structlog
from starlette.concurrency import run_in_threadpool

from marketing_platform.analytics import aggregate
from marketing_platform.analytics.kpis import Coverage, coverage_of
from marketing_platform.analytics.kpis.reading import KPI_TABLES, has_kpis
from marketing_platform.catalog import table
from marketing_platform.content.board.pictures import BOARD_IMAGES
from marketing_platform.content.people import PEOPLE
from marketing_platform.errors import MarketingPlatformError, ReleaseRefused, UnknownName, UnknownRelease
from marketing_platform.experiments.assigning import Experiments, FirstArm, never_before
from marketing_platform.experiments.released import open_experiments
from marketing_platform.experiments.spec import Declarations
from marketing_platform.features.asking import ask_release
from marketing_platform.recommenders.prepared import EVERYONE, PRODUCT_LISTS, StoredList
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.stores.protocols import AnswersReader, GraphReader, Select, TableRef, VectorReader
from marketing_platform.stores.registry import Stores
from serving.errors import ApiError
from serving.observability import metrics
from serving.remembered import Remembered

SIMILAR_USERS = "similar_users_lookup"
RECOMMENDATIONS = "recommendations"
TRENDING = "trending_products"
CROSS_CATEGORY = "cross_category_products"
CONTENT = "content_products"
CAMPAIGNS = "campaign_recommendations"
FEATURES = "user_features_lookup"
KNOWLEDGE_GRAPH = "knowledge_graph"
MESSAGE_EMBEDDINGS = "message_embeddings"
AGGREGATES = ("user_engagement", "campaign_performance", "daily_activity", "user_campaign_engagement")

# Releases made before there were such answers can be gone back to.
_SINCE = (PRODUCT_LISTS, CAMPAIGNS, TRENDING, CROSS_CATEGORY, CONTENT, FEATURES, PEOPLE, BOARD_IMAGES)
_LONGEST_PAUSE = 30.0  # seconds between attempts to open a release that fails
_PAST_OPEN = 3  # past releases that stay open after they were asked for
# Anonymous events count for a campaign, not for recommending it.
_ENGAGEMENT = """
SELECT campaign_performance.campaign_id, coalesce(sum(part.engagement_score), 0) AS engagement
FROM campaign_performance
LEFT JOIN user_campaign_engagement AS part
  ON part.campaign_id = campaign_performance.campaign_id AND part.user_id IS NOT NULL
GROUP BY campaign_performance.campaign_id"""
_LAST_DAYS = "SELECT campaign_id, ends_on FROM campaigns WHERE ends_on IS NOT NULL"
_log: Any = structlog.get_logger("serving.releases")


class OpenRelease:
    """The readers of one release; every method may block and be called from any thread."""

    def __init__(self, manifest: Manifest, stores: Stores, *, shown: FirstArm = never_before) -> None:
        self.manifest = manifest
        self.experiments = Experiments(Declarations(), {})
        self._shown = shown  # which arms users were shown after the release was made
        self._stores = stores
        self._answers: dict[str, AnswersReader] = {}
        self._tables: dict[str, TableRef] = {}
        self.engagement: Mapping[str, float] = {}  # of all users, by campaign
        self.ends_on: Mapping[str, date] = {}  # last day by campaign, where it has one
        self.trending: StoredList | None = None  # the list of all users
        self.masked: frozenset[str] = frozenset()  # users who were erased since it was made
        self._graph: GraphReader | None = None
        self.remembered = Remembered()
        self._coverage: Coverage | None = None
        self._vectors: VectorReader | None = None
        self._vectors_lock = Lock()
        self._open = ExitStack()

    def initialize(self, *, with_vectors: bool) -> None:
        """Open everything, vectors if asked to; raises what the stores raise, with nothing left open."""
        _require_passed(self.manifest)
        with ExitStack() as opening:
            since = [name for name in _SINCE if name in self.manifest.answers]
            for name in (SIMILAR_USERS, RECOMMENDATIONS, *since):
                entry = _entry(self.manifest, "answers", name)
                self._answers[name] = self._stores.answers.open(entry.name)
                opening.callback(self._answers[name].close)
            # The same holds of KPIs.
            for name in (*AGGREGATES, *(KPI_TABLES if has_kpis(self.manifest) else ())):
                entry = _entry(self.manifest, "tables", name)
                for part in entry.parts:
                    self._stores.warehouse.open(part)
                self._tables[name] = TableRef(name, entry.parts, aggregate(name).arrow_schema)
            self.engagement = self._engagement()
            self.ends_on = self._ends_on()
            if TRENDING in self._answers:
                self.trending = StoredList.read(self.answer(TRENDING, EVERYONE) or b"")
            self._graph = self._stores.graphs.open(_entry(self.manifest, "graphs", KNOWLEDGE_GRAPH).name)
            opening.callback(self._graph.close)
            self.experiments = self._experiments(opening)
            self._open = opening.pop_all()
        if with_vectors:
            self._open_vectors_or_close()

    def answer(self, kind: str, user_id: str) -> bytes | None:
        """The ready answer for a user, or None when the release does not know them.

        Raises ApiError (`not_ready`) when the release is older than answers of this kind.
        """
        return None if user_id in self.masked else self.kept(kind, user_id)

    def kept(self, kind: str, key: str) -> bytes | None:
        """The same for answers about something else than users."""
        if kind not in self._answers:
            raise ApiError("not_ready", part=f"a release with {kind}")
        return self._answers[kind].get(key)

    def rows(self, sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The result of a query over `AGGREGATES` or KPIs; `sql` is ours, values come as parameters."""
        select = Select(sql, [self._tables[table] for table in tables], parameters)
        return self._stores.warehouse.query(select).to_pylist()

    def ask(self, sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> pa.Table:
        """The same over any tables, in columns; UnknownName for one that the release was made without."""
        return ask_release(self._stores.warehouse, self.manifest)(sql, tables, parameters)

    def report(self, name: str) -> dict[str, Any]:
        """A report of the release; ApiError (`not_ready`) when the release is older than such reports."""
        if name not in self.manifest.reports:
            raise ApiError("not_ready", part=f"a release with {name}")
        return self._stores.reports.read(self.manifest.reports[name].name)

    def coverage(self) -> Coverage:
        """Which days there are KPIs for; ApiError (`not_ready`) when the release is older than KPIs."""
        if not has_kpis(self.manifest):
            raise ApiError("not_ready", part="a release with KPIs")
        if self._coverage is None:  # twice by two at once: it comes out the same
            self._coverage = coverage_of(self.rows)
        return self._coverage

    @property
    def graph(self) -> GraphReader:
        """The knowledge graph."""
        if self._graph is None:
            raise RuntimeError("initialize() opens the graph; call it first")
        return self._graph

    def vectors(self) -> VectorReader:
        """The message vectors, opened on first use because that imports half of a data stack."""
        with self._vectors_lock:
            if self._vectors is None:
                name = _entry(self.manifest, "vectors", MESSAGE_EMBEDDINGS).name
                self._vectors = self._stores.vectors.open(name)
                self._open.callback(self._vectors.close)
            return self._vectors

    def close(self) -> None:
        """Close every reader; no request may hold a lease any more."""
        self._open.close()

    def _engagement(self) -> dict[str, float]:
        rows = self.rows(_ENGAGEMENT, ("campaign_performance", "user_campaign_engagement"), {})
        return {row["campaign_id"]: float(row["engagement"]) for row in rows}

    def _ends_on(self) -> dict[str, date]:
        parts = _entry(self.manifest, "tables", "campaigns").parts
        campaigns = TableRef("campaigns", parts, table("campaigns").arrow_schema)
        rows = self._stores.warehouse.query(Select(_LAST_DAYS, [campaigns])).to_pylist()
        return {row["campaign_id"]: row["ends_on"] for row in rows}

    def _experiments(self, closing: ExitStack) -> Experiments:
        found = open_experiments(self.manifest, self._stores, closing)

        def first_arm(experiment: str, user_id: str) -> str | None:
            return self._shown(experiment, user_id) or found.first_arm(experiment, user_id)

        return replace(found, first_arm=first_arm)

    def _open_vectors_or_close(self) -> None:
        try:
            self.vectors()
        except BaseException:
            self.close()
            raise


def _require_passed(manifest: Manifest) -> None:
    blocking = [check for check in manifest.checks if check.blocking]
    failed = [f"{check.asset}:{check.check}" for check in blocking if not check.passed]
    if failed or not blocking:
        what = f"failed {', '.join(failed)}" if failed else "no blocking check"
        raise ReleaseRefused(
            f"{manifest.release_id}: carries {what}; publish a release that passed its gates"
        )


def _entry(manifest: Manifest, section: str, name: str) -> Any:
    entries: dict[str, Any] = getattr(manifest, section)
    if name not in entries:
        raise ReleaseRefused(
            f"{manifest.release_id}: has no {name!r} among its {section}; publish a whole release"
        )
    return entries[name]


@dataclass
class _Held:
    """The release that new requests get, or an older one that still answers some."""

    release: OpenRelease
    leases: int = 0
    retired: bool = False


@dataclass(frozen=True)
class _Failure:
    release_id: str
    reason: str
    attempts: int
    retry_at: float  # monotonic clock


class ReleaseHolder:
    """Follows the pointer; keeps the last good release when the newest cannot be opened."""

    def __init__(
        self,
        shelf: ReleaseShelf,
        open_release: Callable[[Manifest], OpenRelease],
        *,
        open_past: Callable[[Manifest], OpenRelease] | None = None,
        poll_seconds: float = 0.5,
    ) -> None:
        self._shelf = shelf
        self._open_release = open_release
        self._open_past_release = open_past or open_release
        self._poll_seconds = poll_seconds
        self._held: _Held | None = None
        self._failure: _Failure | None = None
        self._pointer_problem: str | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._past: OrderedDict[str, asyncio.Task[_Held]] = OrderedDict()  # last used last

    @property
    def current(self) -> OpenRelease | None:
        """The release that new requests get."""
        return self._held.release if self._held else None

    @property
    def problem(self) -> str | None:
        """Why the pointer's release is not the one being served; None when it is."""
        return self._pointer_problem or (self._failure.reason if self._failure else None)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Open the current release, follow the pointer meanwhile, and close everything at the end."""
        async with AsyncExitStack() as cleanups:
            cleanups.push_async_callback(self._close)
            await self.refresh()
            watch = asyncio.create_task(self._watch(), name="follow the release pointer")
            cleanups.push_async_callback(_cancel, watch)
            yield

    @contextmanager
    def lease(self) -> Generator[OpenRelease]:
        """The current release, kept open until the block ends; 503 when there is none."""
        if self._held is None:
            raise ApiError("no_release")
        with self._leased(self._held) as release:
            yield release

    @contextmanager
    def _leased(self, held: _Held) -> Generator[OpenRelease]:
        held.leases += 1
        try:
            yield held.release
        finally:
            held.leases -= 1
            self._close_unused(held)

    async def lease_of(self, release_id: str) -> AbstractContextManager[OpenRelease]:
        """A release that is kept, past or current, opened where it is not; it stays open during the block.

        `unknown_release` (404) when none of that id is kept.
        """
        while not (self.current and self.current.manifest.release_id == release_id):
            opening = self._past.get(release_id)
            if opening is None:
                opening = asyncio.create_task(self._open_past(release_id), name="open a past release")
                self._past[release_id] = opening
            self._past.move_to_end(release_id)
            try:
                held = await asyncio.shield(opening)
            except Exception:
                if self._past.get(release_id) is opening:
                    del self._past[release_id]
                raise
            self._close_past(keep=_PAST_OPEN)
            if not held.retired:
                return self._leased(held)
        return self.lease()

    async def _open_past(self, release_id: str) -> _Held:
        try:
            return _Held(await run_in_threadpool(self._load_past, release_id))
        except (UnknownRelease, UnknownName):
            raise ApiError("unknown_release", parameter="release") from None

    def _close_past(self, *, keep: int) -> None:
        """Let go of the past releases that were asked for longest ago."""
        opened = [name for name, opening in self._past.items() if opening.done()]
        for name in opened[: max(0, len(opened) - keep)]:
            self._let_go(name)

    def _let_go(self, release_id: str) -> None:
        opening = self._past.pop(release_id)
        if opening.cancelled() or opening.exception() is not None:
            return
        held = opening.result()
        held.retired = True
        self._close_unused(held)

    async def _forget_collected(self) -> None:
        """A past release is served while it is kept, however long it has been open."""
        for release_id, opening in list(self._past.items()):
            if not opening.done():
                continue
            try:
                await run_in_threadpool(self._shelf.load, release_id)
            except UnknownRelease:
                if self._past.get(release_id) is opening:
                    self._let_go(release_id)

    async def refresh(self) -> None:
        """Look where the pointer stands and swap to that release once it is completely open."""
        try:
            wanted = await run_in_threadpool(self._shelf.current)
            await self._forget_collected()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the release at hand goes on serving
            self._pointer_problem = _reason("the release pointer cannot be read", error)
            return
        self._pointer_problem = None
        if wanted is None or (self.current and self.current.manifest.release_id == wanted):
            self._failure = None
            return
        if self._failure and self._failure.release_id == wanted and time.monotonic() < self._failure.retry_at:
            return
        await self._swap_to(wanted)

    async def _swap_to(self, release_id: str) -> None:
        try:
            opened = await run_in_threadpool(self._load, release_id)
        except Exception as error:  # noqa: BLE001 -- a release that cannot be opened is reported, not fatal
            self._note_failure(release_id, error)
            return
        self._failure = None
        before, self._held = self._held, _Held(opened)
        metrics.opened("swapped" if before else "first")
        _log.info("release opened", release_id=release_id, before=_id_of(before))
        if before is not None:
            before.retired = True
            self._close_unused(before)

    def _load(self, release_id: str) -> OpenRelease:
        return self._open_release(self._shelf.load(release_id))

    def _load_past(self, release_id: str) -> OpenRelease:
        return self._open_past_release(self._shelf.load(release_id))

    def _note_failure(self, release_id: str, error: Exception) -> None:
        attempts = (
            self._failure.attempts + 1 if self._failure and self._failure.release_id == release_id else 1
        )
        pause = min(self._poll_seconds * 2**attempts, _LONGEST_PAUSE)
        reason = _reason(f"release {release_id} cannot be opened", error)
        self._failure = _Failure(release_id, reason, attempts, time.monotonic() + pause)
        metrics.opened("failed")
        _log.error("release not opened", release_id=release_id, attempts=attempts, exc_info=error)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self.refresh()

    def _close_unused(self, held: _Held) -> None:
        if held.retired and held.leases == 0:
            closing = asyncio.create_task(run_in_threadpool(held.release.close))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close(self) -> None:
        if self._held is not None:
            self._held.retired = True
            self._close_unused(self._held)
            self._held = None
        await asyncio.gather(*self._past.values(), return_exceptions=True)
        self._close_past(keep=0)
        await asyncio.gather(*self._closing, return_exceptions=True)


def _id_of(held: _Held | None) -> str | None:
    return held.release.manifest.release_id if held else None


def _reason(what: str, error: Exception) -> str:
    # Our own messages say what to do; a library's may quote paths or data and stay in the log.
    return f"{what}: {error if isinstance(error, MarketingPlatformError) else type(error).__name__}"


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
