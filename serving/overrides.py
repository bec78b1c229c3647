"""What people suppressed and whom they erased, as this process knows it: followed change by change.

Everything it keeps is touched by the event loop only; reading the records blocks and runs in threads.
What a suppression means is decided by the rules (`recommenders/rules/answering.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, get_args

import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from marketing_platform.recommenders.rules import LiveFacts, RuleBook, rules_of_answers
from marketing_platform.recommenders.rules.spec import Exclude
from marketing_platform.releases.erasures import Erasure, Erasures, masked
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.overrides import ItemKind, Overrides, Suppression, Wish, suppressed
from serving.errors import ApiError

_log: Any = structlog.get_logger("serving.overrides")


@dataclass(frozen=True)
class Standing:
    """What answers of one kind of items have to heed at this moment."""

    rules: Sequence[Exclude]
    facts: LiveFacts
    campaigns_end: bool  # whether a declared rule keeps back what the release says has ended


class LiveOverrides:
    """Follows the records; `running` has to be entered first.

    Nothing is served before the records were read once, as nobody knows what must not be. Later
    those at hand count as long as the records do not answer.
    """

    def __init__(
        self, overrides: Overrides, erasures: Erasures, rules: RuleBook, *, poll_seconds: float = 0.5
    ) -> None:
        self.erasures = erasures
        self._overrides = overrides
        self._poll_seconds = poll_seconds
        self._declared: Mapping[ItemKind, Sequence[Any]] = {
            "product": rules.products,
            "campaign": rules.campaigns,
        }
        self._known: dict[str, Suppression] = {}
        self._last: int | None = None  # the number of the last change; None before the first reading
        self._standing: dict[ItemKind, Standing] = {}
        self._stands_until = datetime.max.replace(tzinfo=UTC)
        self._erased: dict[str, Erasure] = {}
        self._last_erased = 0
        self._masked: dict[str, frozenset[str]] = {}  # by release
        self._one_reading = asyncio.Lock()
        self.problem: str | None = None  # why the records cannot be read

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Read the records, and follow them while the block runs."""
        await self._try()
        watch = asyncio.create_task(self._watch(), name="follow suppressions and erasures")
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    def standing(self, kind: ItemKind) -> Standing:
        """What holds now; `store_unavailable` (503) before the records were read once."""
        if self._last is None:
            raise ApiError("store_unavailable", part="suppressions")
        if datetime.now(UTC) >= self._stands_until:
            self._standing.clear()
        if kind not in self._standing:
            self._build()
        return self._standing[kind]

    async def suppress(self, wish: Wish, *, who: str) -> tuple[Suppression, bool]:
        """Suppress, so that every answer of this process heeds it before this returns."""
        now = datetime.now(UTC)
        made = await run_in_threadpool(self._overrides.suppress, wish, who=who, now=now)
        await self.refresh()
        return made

    async def lift(self, suppression_id: str, *, who: str) -> Suppression:
        """Lift, with the same promise; raises UnknownSuppression."""
        now = datetime.now(UTC)
        lifted = await run_in_threadpool(self._overrides.lift, suppression_id, who=who, now=now)
        await self.refresh()
        return lifted

    async def erase(self, user_id: str, *, who: str) -> Erasure:
        """Ask for a user to be forgotten, so that no answer of this process shows them any more."""
        asked = await run_in_threadpool(self.erasures.ask, user_id, who=who, now=datetime.now(UTC))
        await self.refresh()
        return asked

    def masked(self, manifest: Manifest) -> frozenset[str]:
        """The users whom no answer of the release may show; `store_unavailable` (503) as `standing`."""
        if self._last is None:
            raise ApiError("store_unavailable", part="erasures")
        if not self._erased:
            return frozenset()
        if manifest.release_id not in self._masked:
            self._masked[manifest.release_id] = masked(self._erased.values(), manifest.created_at)
        return self._masked[manifest.release_id]

    def is_erased(self, user_id: str) -> bool:
        """Whether the user has asked to be forgotten, and may still be somewhere."""
        return any(one.user_id == user_id for one in self._erased.values())

    def holding(self) -> list[Suppression]:
        """Those that hold now, oldest first."""
        now = datetime.now(UTC)
        found = (one for one in self._known.values() if one.holds(now))
        return sorted(found, key=lambda one: (one.created_at, one.suppression_id))

    async def refresh(self) -> None:
        """Read what changed since the last reading."""
        async with self._one_reading:
            erased, self._last_erased = await run_in_threadpool(self.erasures.changes, self._last_erased)
            changed, self._last = await run_in_threadpool(self._overrides.changes, self._last or 0)
            self._note_erased(erased)
            for one in changed:
                if one.lifted_at is None:
                    self._known[one.suppression_id] = one
                else:
                    self._known.pop(one.suppression_id, None)
            if changed:
                self._standing.clear()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.refresh()
        except Exception as error:  # noqa: BLE001 -- those at hand count until the records answer again
            if self.problem is None:
                _log.error("suppressions and erasures not read", exc_info=error)
            self.problem = f"suppressions and erasures cannot be read: {type(error).__name__}"
            return
        self.problem = None

    def _note_erased(self, erased: Sequence[Erasure]) -> None:
        for one in erased:
            if one.done_at is None:
                self._erased[one.erasure_id] = one
            else:
                self._erased.pop(one.erasure_id, None)
        if erased:
            self._masked.clear()

    def _build(self) -> None:
        now = datetime.now(UTC)
        self._known = {key: one for key, one in self._known.items() if one.holds(now)}
        until = [one.wish.until for one in self._known.values() if one.wish.until is not None]
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        self._stands_until = min([midnight, *until])
        for kind in get_args(ItemKind):
            facts = LiveFacts.of(suppressed(self._known.values(), kind, now=now), now.date())
            declared = self._declared[kind]
            ends = any(isinstance(rule, Exclude) and rule.when == "ended_campaign" for rule in declared)
            self._standing[kind] = Standing(rules_of_answers(declared), facts, ends)


async def overrides_of(request: Request) -> LiveOverrides:
    """A dependency: the overrides that this application follows."""
    return request.app.state.overrides
