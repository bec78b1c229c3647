"""How fast a provider may be asked: so many requests a minute, and none while it asked to wait."""

from __future__ import annotations

import threading
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

_LOOK_AGAIN = 1.0  # seconds


class Stopped(Exception):
    """The call that a request was for has ended; the request is not sent."""


class Pace:
    """Shared by the threads of one process."""

    def __init__(self, requests_per_minute: int) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._allowed = RateLimitItemPerMinute(requests_per_minute)
        self._not_before = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def wait(self, stop: threading.Event) -> None:
        """Return when a request may be sent; raises Stopped once `stop` is set."""
        while not stop.is_set():
            held = self._not_before - time.monotonic()
            if held <= 0 and self._window.hit(self._allowed):
                return
            full = self._window.get_window_stats(self._allowed).reset_time - time.time()
            stop.wait(min(_LOOK_AGAIN, max(0.01, held if held > 0 else full)))
        raise Stopped
