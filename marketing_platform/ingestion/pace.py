"""How far a batch is, said now and then while it is worked on."""

from __future__ import annotations

import time
from collections.abc import Callable

_EVERY = 5.0  # seconds


class Pace:
    """Counts records; says every few seconds how many there were, how fast, and how long it will take."""

    def __init__(
        self,
        say: Callable[[str], None],
        what: str,
        *,
        total: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._what = what
        self._total = total
        self._clock = clock
        self._rows = 0
        self._began = self._said = clock()

    def add(self, rows: int) -> None:
        """So many records more are done."""
        self._rows += rows
        now = self._clock()
        if now - self._said < _EVERY:
            return
        self._said = now
        per_second = self._rows / (now - self._began)
        of_all, left = "", ""
        if self._total:
            of_all = f" of {self._total:,}"
            left = f", {(self._total - self._rows) / per_second:,.0f} s left" if per_second else ""
        self._say(f"{self._what}: {self._rows:,}{of_all} records, {per_second:,.0f}/s{left}")
