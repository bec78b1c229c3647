"""Answers of one release that were worked out before: a release never changes, so neither do they.

Those not asked for the longest are forgotten when there are too many. The event loop alone touches this;
who works answers out, and waits for those that are being worked out, is said in `lookups.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

_MOST_BYTES = 32 << 20


class Remembered:
    """Bodies by question; at most `most_bytes` of them are kept."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, question: Hashable) -> bytes | None:
        """The answer to a question, if it is known."""
        body = self._bodies.get(question)
        if body is not None:
            self._bodies.move_to_end(question)
        return body

    def keep(self, question: Hashable, body: bytes) -> None:
        """Remember an answer, and forget others if there is no room for all."""
        self._bytes += len(body) - len(self._bodies.pop(question, b""))
        self._bodies[question] = body
        while self._bytes > self._most_bytes:
            _, oldest = self._bodies.popitem(last=False)
            self._bytes -= len(oldest)
