"""Answers of one release that were worked out before: a release never changes, so neither do they.

Equal questions that come at the same time are worked out once, and those not asked for the longest are
forgotten when there are too many. What a question is belongs to the `service.py` of its area.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock

_MOST_BYTES = 32 << 20


class Remembered:
    """Bodies by question, for any number of threads; at most `most_bytes` of them are kept."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._bodies: OrderedDict[Hashable, Future[bytes]] = OrderedDict()
        self._lock = Lock()

    def body(self, question: Hashable, work: Callable[[], bytes]) -> bytes:
        """The answer to `question`, made by `work` unless it is known; raises what that raises."""
        made = Future[bytes]()
        with self._lock:
            found = self._bodies.setdefault(question, made)
            self._bodies.move_to_end(question)
        if found is not made:
            return found.result()
        try:
            body = work()
        except BaseException as error:
            with self._lock:
                del self._bodies[question]
            made.set_exception(error)
            raise
        made.set_result(body)
        self._keep(len(body))
        return body

    def _keep(self, size: int) -> None:
        with self._lock:
            self._bytes += size
            for question in [one for one, made in self._bodies.items() if made.done()]:
                if self._bytes <= self._most_bytes:
                    return
                self._bytes -= len(self._bodies.pop(question).result())
