"""Lands a stream in micro-batches, each message exactly once, as plain Python over `Stream` and `Objects`.

Per partition messages are gathered as lines and landed as the next object of its chain
(`stream_chain.py`), which commits offsets and content in one. Whatever ends the consumer between two
objects costs nothing: who comes next begins where the chain ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from marketing_platform.errors import AlreadyThere, StoreUnavailable, StreamBroken
from marketing_platform.ingestion.stream_chain import Chain, wished_start
from marketing_platform.ingestion.stream_lines import Line, gap_line, line_of
from marketing_platform.stores.protocols import Objects
from marketing_platform.stores.stream import Bounds, Message, Owner, Partition, Stream

_READ_SECONDS = 0.25  # how soon a stop is heard
_READ_MESSAGES = 1000
_JOIN_SECONDS = 20.0  # without a partition for so long, others have all of them
_LOOK_EVERY = 5.0  # seconds between two looks at lag and backlog


@dataclass(frozen=True)
class BatchLimits:
    """When what was gathered lands, and when reading pauses."""

    rows: int  # messages of one partition
    seconds: float  # since the first of them
    size: int  # bytes, over all partitions
    message_bytes: int  # a longer message is a dead letter
    waiting: int  # landed objects that wait to be judged


@dataclass
class Progress:
    """What the consumer did since it started; written by its thread, read by any."""

    messages: int = 0
    bytes: int = 0
    batches: int = 0
    dead_letters: int = 0
    lost: int = 0  # offsets that were removed from the stream before they landed
    collisions: int = 0  # batches that somebody else had landed first
    paused: bool = False
    waiting: int = 0  # landed objects that wait to be judged, at the last look
    lag: dict[Partition, int] = field(default_factory=dict)  # messages not landed, at the last look


@dataclass
class _Gathered:
    """What was read of one partition and has not landed."""

    chain: Chain
    first: int  # the name of the next object
    next: int  # the next offset that is expected
    goal: int  # what the partition held when it became ours ends before this offset
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    dead: int = 0
    since: float = 0.0

    def add(self, line: Line, offset: int) -> None:
        if not self.lines:
            self.since = time.monotonic()
        self.lines.append(line.content)
        self.size += len(line.content)
        self.dead += line.defect is not None
        self.next = offset + 1

    def begin_next(self) -> None:
        self.first, self.lines, self.size, self.dead = self.next, [], 0, 0


class Lander:
    """Reads our share of a stream and lands it."""

    def __init__(
        self,
        stream: Stream,
        objects: Objects,
        limits: BatchLimits,
        *,
        waiting: Callable[[Sequence[str]], int],
        on_progress: Callable[[Progress], None] = lambda _: None,
        accept_gap: bool = False,
    ) -> None:
        """Nothing is contacted yet.

        Args:
            stream: Not open yet; `run` opens and closes it.
            objects: Where to land.
            limits: How much lands at once.
            waiting: How many landed objects in some folders wait to be judged.
            on_progress: Called every few seconds, and at the end.
            accept_gap: Go on behind messages that can no longer be read.
        """
        self.progress = Progress()
        self._stream = stream
        self._objects = objects
        self._limits = limits
        self._waiting = waiting
        self._on_progress = on_progress
        self._accept_gap = accept_gap
        self._gathered: dict[Partition, _Gathered] = {}
        self._had_partitions = False
        self._opened = 0.0
        self._looked = 0.0

    def run(self, *, once: bool, stop: Callable[[], bool]) -> Progress:
        """Land messages until `stop()`; with `once` at most those that are there now.

        What was gathered lands at the end too, except after an error. With `once` the end also comes when
        reading would pause because too much waits to be judged (`Progress.paused`), or when others have
        all partitions.

        Raises:
            StreamBroken: A partition does not go on where what landed from it ends.
            StoreUnavailable: Stream or landing zone cannot be reached.
        """
        self._opened = time.monotonic()
        self._stream.open(Owner(self._begin, self._leave))
        try:
            while not stop():
                self._gather(self._stream.read(limit=_READ_MESSAGES, seconds=_READ_SECONDS))
                self._land_what_is_due()
                self._look()
                if once and (self.progress.paused or self._at_present_end()):
                    break
            for partition in list(self._gathered):
                self._land(partition)
            self._look(now=True)
            return replace(self.progress, lag=dict(self.progress.lag))  # leaving forgets the lag
        finally:
            self._stream.close()

    def _begin(self, partition: Partition) -> int:
        """Where to read a partition that has become ours: behind what has landed."""
        held = self._gathered.pop(partition, None)
        if held is not None and held.lines:  # retention may have removed what we still have
            with suppress(AlreadyThere):
                self._put(partition, held)
        chain = Chain(self._objects, partition)
        bookmark = self._stream.bookmark(partition)
        end = chain.end(bookmark, trusting=self._accept_gap)
        bounds = self._stream.bounds(partition)
        position = end if end is not None else wished_start(bookmark)
        gathered = _Gathered(chain, end or 0, bounds.first if position is None else position, bounds.end)
        self._gathered[partition] = gathered
        self._had_partitions = True
        if gathered.next > bounds.end:
            raise StreamBroken(
                f"{partition} ends at offset {bounds.end}, but what landed from it ends at {gathered.next}:"
                " the broker has lost messages, and gives their offsets to others now. Nothing more is landed"
                " from it. Send what follows to a new topic, or delete this topic and make it anew"
            )
        if gathered.next < bounds.first:
            self._over_gap(partition, gathered, bounds)
        return gathered.next

    def _over_gap(self, partition: Partition, gathered: _Gathered, bounds: Bounds) -> None:
        missing = bounds.first - gathered.next
        if not self._accept_gap:
            raise StreamBroken(
                f"{partition} begins at offset {bounds.first} by now, what landed from it ends at"
                f" {gathered.next}: retention removed {missing} offsets before they landed. Start with"
                " --accept-gap to go on behind them; a quarantined record will stand for the gap. Longer"
                " retention of the topic, or a consumer that runs, prevents the next one"
            )
        self.progress.lost += missing
        gathered.add(gap_line(partition, gathered.next, bounds.first), bounds.first - 1)

    def _leave(self, partition: Partition) -> None:
        """A partition is somebody else's: what was gathered is read again there."""
        self._gathered.pop(partition, None)
        self.progress.lag.pop(partition, None)

    def _gather(self, messages: Sequence[Message]) -> None:
        limits = self._limits
        collided: set[Partition] = set()
        for message in messages:
            partition = message.partition
            gathered = self._gathered.get(partition)
            # After a collision the partition is read from another place; what is left of this list is not.
            if gathered is None or message.offset < gathered.next or partition in collided:
                continue
            gathered.add(line_of(message, max_bytes=limits.message_bytes), message.offset)
            if len(gathered.lines) >= limits.rows and not self._land(partition):
                collided.add(partition)

    def _land_what_is_due(self) -> None:
        now = time.monotonic()
        for partition, gathered in list(self._gathered.items()):
            if gathered.lines and now - gathered.since >= self._limits.seconds:
                self._land(partition)
        while sum(gathered.size for gathered in self._gathered.values()) > self._limits.size:
            self._land(max(self._gathered, key=lambda partition: self._gathered[partition].size))

    def _land(self, partition: Partition) -> bool:
        """Land what was gathered; False when somebody else was first, and we read on behind that."""
        gathered = self._gathered[partition]
        if not gathered.lines:
            return True
        try:
            self._put(partition, gathered)
        except AlreadyThere:
            self.progress.collisions += 1
            self._leave(partition)
            self._stream.go_to(partition, self._begin(partition))
            return False
        return True

    def _put(self, partition: Partition, gathered: _Gathered) -> None:
        landed = gathered.chain.land(gathered.first, gathered.lines)
        self.progress.messages += len(gathered.lines)
        self.progress.bytes += landed.size
        self.progress.batches += 1
        self.progress.dead_letters += gathered.dead
        self._stream.place_bookmark(partition, gathered.chain.bookmark(gathered.first, gathered.next))
        gathered.begin_next()

    def _look(self, *, now: bool = False) -> None:
        """Every few seconds: lag, backlog, and whether to pause for it."""
        if not now and time.monotonic() - self._looked < _LOOK_EVERY:
            return
        self._looked = time.monotonic()
        with suppress(StoreUnavailable):  # a broker that restarts; `read` says when that takes too long
            for partition, gathered in self._gathered.items():
                # What ends a transaction has an offset too, but is no message.
                at_end = self._stream.at_end(partition)
                unread = 0 if at_end else max(0, self._stream.bounds(partition).end - gathered.next)
                self.progress.lag[partition] = unread + len(gathered.lines)
        self.progress.waiting = self._waiting([found.chain.folder for found in self._gathered.values()])
        self._press()
        self._on_progress(self.progress)

    def _press(self) -> None:
        """Pause while too much waits; go on once half of that is judged."""
        if not self.progress.paused and self.progress.waiting > self._limits.waiting:
            self._stream.pause()
            self.progress.paused = True
        elif self.progress.paused and self.progress.waiting <= self._limits.waiting // 2:
            self._stream.resume()
            self.progress.paused = False

    def _at_present_end(self) -> bool:
        if not self._had_partitions:
            return time.monotonic() - self._opened > _JOIN_SECONDS
        return all(
            gathered.next >= gathered.goal or self._stream.at_end(partition)
            for partition, gathered in self._gathered.items()
        )
