"""Delivers what the outbox holds, and fills it with what happened: the loop of `webhooks deliver`.

It is a process of its own, so that whatever receivers do holds up neither a run nor the API. Killed at any
moment, it goes on where it was: an event is found again, a delivery is due again when its claim ends. So
deliveries may come twice, under the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from marketing_platform.automations.declared import Automations, Endpoint
from marketing_platform.automations.sending import Outcome, Sender
from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.releases.outbox import Delivery, Outbox, OutboxEvent

_T = TypeVar("_T")
Find = Callable[[datetime], Iterable[OutboxEvent]]

# Clocks of several machines differ, and what one transaction notes is seen when it ends: what is found
# twice is told once.
_OVERLAP = timedelta(minutes=10)
_FIRST_LOOK = timedelta(days=1)  # who declares endpoints late is not told of everything that ever happened
_LOOK_SECONDS = 2.0
_PURGE_EVERY = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Deliverer:
    """Several may run at once; each delivery is claimed by one of them."""

    def __init__(self, outbox: Outbox, declared: Automations, settings: WebhookSettings, find: Find) -> None:
        self._outbox = outbox
        self._endpoints = declared.endpoints
        self._settings = settings
        self._find = find
        self._under_way: dict[str, set[asyncio.Task[None]]] = {one.name: set() for one in self._endpoints}
        self._purged = datetime.min.replace(tzinfo=UTC)
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Let `run` return once what is under way is finished; called in its event loop."""
        self._ending.set()

    async def run(self, *, once: bool = False) -> None:
        """Deliver until `end` is called; with `once`, until nothing is due any more.

        With `once`, what goes wrong here (not at receivers) is raised; the loop logs it and looks again.
        """
        async with Sender(self._settings) as sender:
            try:
                while not self._ending.is_set():
                    await self._tried(asyncio.to_thread(self._look), once=once)
                    begun = await self._tried(self._begin(sender), once=once) or 0
                    if once and not begun and not self._tasks():
                        return
                    await self._pause(short=once or begun > 0)
            finally:
                # What is under way is finished: each has a deadline.
                await asyncio.gather(*self._tasks(), return_exceptions=True)

    async def _tried(self, work: Awaitable[_T], *, once: bool) -> _T | None:
        try:
            return await work
        except Exception:  # `up` ends when one of its processes does
            if once:
                raise
            _log.warning("the outbox cannot be served; looked at again soon", exc_info=True)
            return None

    def _look(self) -> None:
        """Put what happened into the outbox, and address it."""
        now = datetime.now(UTC)
        since = self._outbox.look(now, back=_FIRST_LOOK)
        self._outbox.add(self._find(since - _OVERLAP))
        self._outbox.looked(now)
        self._outbox.address(_subscribers(self._endpoints), now=now)
        if now - self._purged > _PURGE_EVERY:
            self._outbox.purge(now - timedelta(days=self._settings.keep_days))
            self._purged = now

    async def _begin(self, sender: Sender) -> int:
        """Start what is due, for each endpoint as much as it may have at once; returns how many."""
        begun = 0
        for endpoint in self._endpoints:
            under_way = self._under_way[endpoint.name]
            if (free := self._settings.at_once - len(under_way)) <= 0:
                continue
            claimed = await asyncio.to_thread(
                self._outbox.claim,
                endpoint.name,
                now=datetime.now(UTC),
                lease=self._settings.lease,
                limit=free,
            )
            for delivery in claimed:
                task = asyncio.create_task(self._deliver(sender, endpoint, delivery))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            begun += len(claimed)
        return begun

    async def _deliver(self, sender: Sender, endpoint: Endpoint, delivery: Delivery) -> None:
        try:
            outcome = await sender.send(endpoint, delivery.event.event_id, delivery.event.body.encode())
        except Exception as error:  # noqa: BLE001 -- an attempt failed, for whatever reason
            outcome = Outcome(f"{type(error).__name__}: {error}"[:300])
        try:
            await asyncio.to_thread(self._settle, delivery, outcome)
        except Exception:  # noqa: BLE001 -- it is due again when its claim ends
            _log.warning("%s to %s: not settled", delivery.event.event_id, endpoint.name, exc_info=True)

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        event = delivery.event
        if outcome.problem is None:
            self._outbox.delivered(delivery)
            _log.info("%s (%s) delivered to %s", event.event_id, event.type, delivery.endpoint)
            return
        again_at = self._again_at(delivery, outcome)
        self._outbox.failed(delivery, outcome.problem, again_at=again_at)
        then = f"tried again at {again_at:%H:%M:%S} UTC" if again_at else "a dead letter now"
        told = (event.event_id, event.type, delivery.endpoint, outcome.problem, then)
        _log.warning("%s (%s) to %s: %s; %s", *told)

    def _again_at(self, delivery: Delivery, outcome: Outcome) -> datetime | None:
        if outcome.final or delivery.attempts >= self._settings.attempts:
            return None
        wait = self._settings.wait_after(delivery.attempts)
        if outcome.retry_after is not None:
            longest = self._settings.longest_wait_seconds
            wait = max(wait, timedelta(seconds=min(outcome.retry_after, longest)))
        return datetime.now(UTC) + wait

    async def _pause(self, *, short: bool) -> None:
        """Until something is done, it is time to look again, or to end."""
        tasks = self._tasks() if short else []
        if short and not tasks:
            return
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait([ending, *tasks], timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for tasks in self._under_way.values() for task in tasks]


def _subscribers(endpoints: Sequence[Endpoint]) -> dict[str, list[str]]:
    kinds = {kind for endpoint in endpoints for kind in endpoint.events}
    return {kind: [one.name for one in endpoints if kind in one.events] for kind in kinds}
