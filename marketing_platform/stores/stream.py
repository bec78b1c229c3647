"""What a stream of messages promises to whoever lands it. Kafka's way to do so is in `stream_kafka.py`.

What is landed, and where reading begins, is decided in `ingestion/streaming.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# The folder of the landing zone under which every topic has its own.
STREAM_FOLDER = "stream"


class Partition(NamedTuple):
    """One ordered part of a topic; a topic that was deleted and made again has another id."""

    topic: str
    topic_id: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Message(NamedTuple):
    """One message as it was sent; a null value is what compacted topics call a tombstone."""

    partition: Partition
    offset: int
    timestamp_ms: int | None  # since 1970, UTC; None where the stream keeps none
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Bookmark:
    """What the consumer group has committed: the next offset, and a note of whoever committed it."""

    next_offset: int
    note: str


@dataclass(frozen=True)
class Bounds:
    """What a partition holds: offsets from `first` on, before `end`; there may be gaps between."""

    first: int
    end: int


@dataclass(frozen=True)
class Owner:
    """Who is told about partitions; both are called inside `Stream.read`."""

    begin: Callable[[Partition], int]  # a partition is ours: from which offset on?
    leave: Callable[[Partition], None]  # a partition is ours no longer, perhaps for a while already


class Stream(Protocol):
    """Our share of the partitions of some topics; others may read theirs in other processes.

    Everything may raise StoreUnavailable once the stream could not be reached for long.
    """

    def open(self, owner: Owner) -> None:
        """Join those who read; from now on partitions come and go."""
        ...

    def read(self, *, limit: int, seconds: float) -> list[Message]:
        """What came, in order within each partition: at most `limit`, and after `seconds` what there is."""
        ...

    def go_to(self, partition: Partition, offset: int) -> None:
        """Read on from another offset."""
        ...

    def pause(self) -> None:
        """Read nothing until `resume`, without giving partitions away."""
        ...

    def resume(self) -> None: ...

    def bookmark(self, partition: Partition) -> Bookmark | None: ...

    def place_bookmark(self, partition: Partition, bookmark: Bookmark) -> None:
        """Commit soon; one that is lost is no harm, the next one replaces it."""
        ...

    def bounds(self, partition: Partition) -> Bounds:
        """What the partition holds now."""
        ...

    def at_end(self, partition: Partition) -> bool:
        """Whether everything that was there has been read."""
        ...

    def close(self) -> None:
        """Leave at once, so that others take over without waiting."""
        ...
