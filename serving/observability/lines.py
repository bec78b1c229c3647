"""Lines on their way to stdout: a thread writes them, so that a slow reader of stdout holds up no request.

Lines wait in memory until that thread wakes up, at most `_GATHER_SECONDS` later. When too many wait, because
whoever reads stdout does not, new ones are dropped, counted, and told of as soon as lines move again. Order
is kept. Lines leave in pieces of at most PIPE_BUF bytes, which a pipe takes whole: several processes can
share it without mixing their lines (POSIX.1-2017, write()). Killed without warning, a process takes along
what it had not written yet.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import orjson

from serving.observability import metrics

_MOST_WAITING = 20_000  # lines, about 8 MB
_GATHER_SECONDS = 0.02
_PIECE_BYTES: int = getattr(select, "PIPE_BUF", 512)  # what POSIX promises where Python does not know


class Lines:
    """Takes lines from any thread without waiting, and writes them to a file descriptor."""

    def __init__(self, descriptor: int, *, most_waiting: int = _MOST_WAITING) -> None:
        self._descriptor = descriptor
        self._most = most_waiting
        self._waiting: deque[bytes] = deque()
        self._awake = threading.Event()
        self._ended = False
        self._dropped = 0
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()

    def write(self, line: bytes) -> None:
        """Take a line, its end included; it is dropped when too many wait."""
        if len(self._waiting) >= self._most:
            self._dropped += 1
            metrics.LINES_DROPPED.inc()
            return
        self._waiting.append(line)
        if not self._awake.is_set():
            self._awake.set()
            self._start()

    def close(self, *, seconds: float = 2.0) -> None:
        """Write what waits, as far as that is possible in so many seconds."""
        self._ended = True
        self._awake.set()
        if self._writer is not None:
            self._writer.join(seconds)

    def _start(self) -> None:
        if self._writer is None:
            with self._starting:
                if self._writer is None:
                    self._writer = threading.Thread(target=self._run, name="write log lines", daemon=True)
                    self._writer.start()

    def _run(self) -> None:
        while not (self._ended and not self._waiting):
            self._awake.wait()
            if not self._ended:
                time.sleep(_GATHER_SECONDS)
            self._awake.clear()  # before looking: a line that comes now wakes us again
            for piece in self._pieces():
                # Nobody reads any more: there is no place left to say so.
                with suppress(OSError):
                    _write_whole(self._descriptor, piece)

    def _pieces(self) -> Iterator[bytes]:
        """What waits, in pieces of whole lines; a line that is longer than a piece is one of its own."""
        piece: list[bytes] = []
        size = 0
        for line in self._taken():
            if piece and size + len(line) > _PIECE_BYTES:
                yield b"".join(piece)
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        if piece:
            yield b"".join(piece)

    def _taken(self) -> Iterator[bytes]:
        while self._waiting:
            yield self._waiting.popleft()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            told = {"event": "log lines dropped", "dropped": dropped, "level": "warning"}
            yield orjson.dumps({**told, "timestamp": datetime.now(UTC)}, option=orjson.OPT_UTC_Z) + b"\n"


def to_stdout() -> Lines:
    """Lines to this process's stdout; what was printed before goes first."""
    sys.stdout.flush()
    return Lines(sys.stdout.fileno())


def _write_whole(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
