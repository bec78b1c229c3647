"""A stream in memory whose consumers may be killed, and may believe that they own what others do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.stream import Bookmark, Bounds, Message, Owner, Partition

PARTITION = Partition("events", "id-1", 0)


@dataclass
class Log:
    """One partition, and what its consumer group has committed."""

    messages: list[Message] = field(default_factory=list)
    first: int = 0
    end: int = 0
    bookmark: Bookmark | None = None

    def append(self, value: bytes | None, *, skip: int = 0) -> None:
        """Add a message; `skip` offsets before it are taken by what nobody reads (a transaction's marker)."""
        self.messages.append(Message(PARTITION, self.end + skip, 0, None, value))
        self.end += skip + 1

    def compact(self, keep: Callable[[Message], bool]) -> None:
        self.messages = [message for message in self.messages if keep(message)]

    def remove_before(self, offset: int) -> None:
        self.first = offset
        self.compact(lambda message: message.offset >= offset)


class MemoryStream:
    """Implements `Stream`; it owns the partition whatever others believe."""

    def __init__(self, log: Log, *, unreachable_from: int | None = None) -> None:
        self._log = log
        self._unreachable_from = unreachable_from
        self._position: int | None = None
        self._owner: Owner
        self.is_paused = False
        self.closed = False

    def open(self, owner: Owner) -> None:
        self._owner = owner

    def read(self, *, limit: int, seconds: float) -> list[Message]:
        if self._position is None:
            self._position = self._owner.begin(PARTITION)
            return []
        if self.is_paused:
            return []
        found = [message for message in self._log.messages if message.offset >= self._position][:limit]
        if self._unreachable_from is not None and self._position >= self._unreachable_from:
            raise StoreUnavailable("the broker is gone")
        if found:
            self._position = found[-1].offset + 1
        return found

    def go_to(self, partition: Partition, offset: int) -> None:
        self._position = offset

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def bookmark(self, partition: Partition) -> Bookmark | None:
        return self._log.bookmark

    def place_bookmark(self, partition: Partition, bookmark: Bookmark) -> None:
        self._log.bookmark = bookmark

    def bounds(self, partition: Partition) -> Bounds:
        return Bounds(self._log.first, self._log.end)

    def at_end(self, partition: Partition) -> bool:
        return self._position is not None and all(m.offset < self._position for m in self._log.messages)

    def close(self) -> None:
        self.closed = True
