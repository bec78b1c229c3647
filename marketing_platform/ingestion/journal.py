"""Makes writes durable in the landing zone, many at a time, without making a batch of each.

A journal takes the lines of a write and says where they are once they will survive everything. Where that
is depends on the installation: `journal_spool.py` (a disk), `journal_objects.py` (a bucket),
`journal_topics.py` (Kafka). What the lines say is `written.py`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from marketing_platform.ingestion.written import Envelope, Kind

API_FOLDER = "api"  # of the landing zone


@dataclass(frozen=True)
class InObject:
    """The lines are in the object of this segment."""

    segment: str


@dataclass(frozen=True)
class InTopic:
    """The lines are messages of one partition, the first and the last at these offsets."""

    topic: str
    topic_id: str
    partition: int
    first: int
    last: int


Place = InObject | InTopic


@dataclass(frozen=True)
class Entry:
    """The lines of one write; they become durable together."""

    envelope: Envelope
    key: str  # lines of one key stay in order
    lines: Sequence[bytes]

    @property
    def kind(self) -> Kind:
        """What is written."""
        return self.envelope.kind


@dataclass(frozen=True)
class Durable:
    """A write with an Idempotency-Key that is safe, and where."""

    envelope: Envelope
    rows: int
    place: Place


# Remembers the answers to keys, all or none. A journal that can find its writes again after a crash calls it
# before it forgets where they are: so a key never loses a write that landed.
Remember = Callable[[Sequence[Durable]], None]


class Journal(Protocol):
    """Takes writes from several threads."""

    @property
    def remembers(self) -> bool:
        """Whether it remembers the answers to keys itself, before a write is acknowledged."""
        ...

    def open(self) -> None:
        """Get ready; finish what a process that died left behind."""
        ...

    def append(self, entry: Entry) -> Future[Place]:
        """Make an entry durable; the future then tells where it is.

        Raises:
            StoreBusy: More writes wait already than may.
        """
        ...

    def close(self) -> None:
        """Land everything that was appended."""
        ...


def object_name(kind: Kind, segment: str) -> str:
    """The name of a segment in the landing zone."""
    return f"{API_FOLDER}/{kind}/{segment}.ndjson"
