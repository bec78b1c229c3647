"""Counting requests in sliding windows: what one process knows, and what others add to it.

The previous window counts by the share of it that the sliding one still covers (the approximation of
Cloudflare, "How we built rate limiting capable of scaling to millions of domains", 2017). It needs two
numbers per client, and numbers of several processes add up, which those of a token bucket do not. Windows
begin at multiples of their length, in all processes at the same moment, and are forgotten as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_MOST = 100_000  # clients that one window tells apart; all further ones count as one
_OTHERS = ""
# Up to one part in so many of its quota a client is nobody else's matter: so many processes could not
# exceed it together.
_PROCESSES = 10


@dataclass(frozen=True)
class Policy:
    """At most `quota` requests within any `seconds`."""

    name: str
    quota: int
    seconds: int


class Window:
    """How often each client asked lately, under one policy. One event loop, no locks, no I/O."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._quiet = policy.quota // _PROCESSES
        self._number = 0
        self._now: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._untold: dict[str, int] = {}

    def left(self, client: str, now: float) -> int:
        """How many more requests of `client` fit at `now` (Unix time, s); below 1, none."""
        self._turn(now)
        before = self._before.get(client, 0)
        if before:
            before *= 1.0 - (now / self.policy.seconds) % 1.0
        return int(self.policy.quota - before - self._now.get(self._known(client), 0))

    def count(self, client: str) -> None:
        """Note a request that was let through; `left` was asked just before."""
        client = self._known(client)
        counted = self._now[client] = self._now.get(client, 0) + 1
        if counted > self._quiet:
            # The first time all of it, from then on what is new.
            new = counted if counted == self._quiet + 1 else 1
            self._untold[client] = self._untold.get(client, 0) + new

    def wait(self, client: str, now: float) -> int:
        """Whole seconds, at least 1, after which a request fits, if no other is let through before."""
        length, quota = self.policy.seconds, self.policy.quota
        passed = now % length
        before = self._before.get(client, 0)
        current = self._now.get(self._known(client), 0)
        # At a moment m of a window, `full` requests of the one before it count `full * (1 - m/length)`.
        if current < quota:
            moment = length * (1 - (quota - 1 - current) / before) if before else passed
            seconds = moment - passed
        else:
            seconds = length - passed + length * max(0.0, 1 - (quota - 1) / current)
        return max(1, math.ceil(seconds))

    def ends(self, now: float) -> int:
        """Whole seconds until the next window begins."""
        return math.ceil(self.policy.seconds - now % self.policy.seconds)

    def untold(self, now: float) -> tuple[int, Mapping[str, int]]:
        """The number of this window, and what was counted in it since this was last asked.

        Of clients that have used a tenth of their quota; most never do, and cost no message.
        """
        self._turn(now)
        told, self._untold = self._untold, {}
        return self._number, told

    def learn(self, number: int, totals: Mapping[str, tuple[int, int]]) -> None:
        """Take over what all processes counted in window `number` and in the one before it."""
        if number != self._number:
            return  # that window is over; the next time tells more
        for client, (before, current) in totals.items():
            self._before[client] = before
            self._now[client] = current + self._untold.get(client, 0)

    def _known(self, client: str) -> str:
        return client if client in self._now or len(self._now) < _MOST else _OTHERS

    def _turn(self, now: float) -> None:
        number = int(now // self.policy.seconds)
        if number != self._number:
            # Also when the clock was set: what lies in no neighbouring window no longer counts.
            self._before = self._now if number == self._number + 1 else {}
            self._now, self._untold, self._number = {}, {}, number
