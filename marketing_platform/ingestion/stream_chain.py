"""What has landed of one partition: a chain of objects, each of which begins where the one before ends.

The object is the commit. Its name is the offset behind the last message of the object before it (0 for
the first), so that whoever lands next from the same place must create the same name, and only one can. Its
last line tells where it ends. The name is not the offset of its first message: compaction may take that
message away, and two consumers would then see another one first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from marketing_platform.errors import StreamBroken
from marketing_platform.ingestion.stream_lines import last_line, offset_of
from marketing_platform.stores.protocols import LandedObject, Objects
from marketing_platform.stores.stream import STREAM_FOLDER, Bookmark, Partition

_SUFFIX = ".ndjson"
_DIGITS = 20


@dataclass(frozen=True)
class Chain:
    """The landed objects of `partition`."""

    objects: Objects
    partition: Partition

    @property
    def folder(self) -> str:
        """Where they lie: a topic that was made anew has another id and begins another chain."""
        return f"{STREAM_FOLDER}/{self.partition.topic}/{self.partition.topic_id}/{self.partition.number}"

    @staticmethod
    def example(topic: str) -> str:
        """A name as objects of that topic have it."""
        return f"{STREAM_FOLDER}/{topic}/id/0/{0:0{_DIGITS}}{_SUFFIX}"

    def name(self, first: int) -> str:
        """The object that begins at the offset `first`."""
        return f"{self.folder}/{first:0{_DIGITS}}{_SUFFIX}"

    def end(self, bookmark: Bookmark | None, *, trusting: bool = False) -> int | None:
        """The offset behind the last message that landed; None when nothing has.

        Args:
            bookmark: What the group has committed. It only shortens the search: one that was moved by hand,
                or that is older than the last landed object, changes nothing.
            trusting: Take the bookmark's word for landed objects that are not there.

        Raises:
            StreamBroken: The bookmark tells of landed objects that are not there.
        """
        noted = bookmark is not None and bookmark.note.startswith(f"{self.folder}/")
        last = self._last(start=bookmark.note if bookmark is not None and noted else "")
        if last is not None:
            return self._end_of(last)
        if bookmark is None or not noted:
            return None
        if trusting:
            return bookmark.next_offset
        raise StreamBroken(
            f"{self.partition} has landed up to offset {bookmark.next_offset}, says the consumer group, but"
            f" {bookmark.note} is not in the landing zone. Was that cleared away? Then start once with"
            " --accept-gap, which goes on from that offset. Is this another installation? Then give it a"
            " consumer group of its own (MARKETING_KAFKA_GROUP)"
        )

    def bookmark(self, first: int, end: int) -> Bookmark:
        """What to commit once the object that begins at `first` has landed and ends before `end`."""
        return Bookmark(end, self.name(first))

    def land(self, first: int, lines: Iterable[bytes]) -> LandedObject:
        """Land the lines as the object that begins at `first`; AlreadyThere when somebody else has."""
        return self.objects.create(self.name(first), lines)

    def _last(self, start: str) -> LandedObject | None:
        found = self.objects.list(below=self.folder, start=start)
        return max(found, key=lambda landed: landed.name, default=None)

    def _end_of(self, landed: LandedObject) -> int:
        # Kept as the next look at the landing zone would; a created object never changes.
        content_hash, _ = self.objects.snapshot(landed)
        try:
            with self.objects.open(content_hash) as content:
                return offset_of(last_line(content)) + 1
        except ValueError as error:
            raise StreamBroken(
                f"{landed.name} was not written by the consumer ({error}); move it out of that folder"
            ) from None


def wished_start(bookmark: Bookmark | None) -> int | None:
    """Where a person or another tool set the group to begin, if somebody did."""
    by_hand = bookmark is not None and not bookmark.note.startswith(f"{STREAM_FOLDER}/")
    return bookmark.next_offset if bookmark is not None and by_hand else None
