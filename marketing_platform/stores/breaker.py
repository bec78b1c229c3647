"""What keeps failing is left alone for a while: a breaker (Nygard, Release It!, 2nd ed., 2018, ch. 5).

It only counts. What a failure is, and what to answer instead, belongs to whoever asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Opens after so many failures in a row; after a pause one caller may try whether it is over.

    Thread-safe; while all is well, asking takes no lock.

    Args:
        failures: How many in a row open it.
        pause_seconds: How long nobody is admitted then. Each trial that fails begins another pause.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, *, failures: int, pause_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._failed = 0
        self._closed_until = 0.0
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """closed: everybody is admitted; open: nobody; half-open: the next one, to try."""
        if self._failed < self._limit:
            return "closed"
        return "open" if self._clock() < self._closed_until else "half-open"

    def admits(self) -> bool:
        """Whether to ask. Who is admitted says how it went, or another may try after the pause."""
        if self._failed < self._limit:
            return True
        with self._lock:
            now = self._clock()
            if now < self._closed_until:
                return False
            self._closed_until = now + self._pause
            return True

    def failed(self) -> bool:
        """Note a failure; true when it opened the circuit."""
        with self._lock:
            self._failed += 1
            if self._failed >= self._limit:
                self._closed_until = self._clock() + self._pause
            return self._failed == self._limit

    def succeeded(self) -> bool:
        """Note a success; true when it closed the circuit."""
        if not self._failed:
            return False
        with self._lock:
            was_open, self._failed = self._failed >= self._limit, 0
            return was_open
