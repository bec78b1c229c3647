"""Which collections a Milvus database holds: written aside, shown at once, kept a while once dropped.

Every write makes a collection of its own, `<name>__w<seconds>_<token>`. It is shown by an alias that is the
name, set once it is complete; readers ask for the alias once, when they open, and then use the
collection's own name, because searches through an alias that moves have been seen to meet both
(milvus-io/milvus#52351). A second kind of alias notes when a collection was dropped. What is not shown, and
was dropped a while ago or never finished, is removed by the next write or drop.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any, cast

from marketing_platform.errors import UnknownName

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_COLLECTION = re.compile(r".+__w(?P<started>\d+)_[0-9a-f]{12}")
_DROPPED = re.compile(r"_dropped_(?P<at>\d+)_[0-9a-f]{12}")
_ABANDONED_SECONDS = 6 * 3600  # longer than any write takes


def new_collection(name: str) -> str:
    """A name for a collection that nobody has; ValueError when Milvus could not keep `name`."""
    if not _NAME.fullmatch(name) or _DROPPED.fullmatch(name):
        raise ValueError(f"{name!r} is not a name for a collection: letters, digits and _, not a digit first")
    return f"{name}__w{int(time.time())}_{uuid.uuid4().hex[:12]}"


class Generations:
    """The collections of one database, by the names people see; every call ends within `seconds`."""

    def __init__(self, client: MilvusClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds

    def show(self, name: str, collection: str) -> None:
        """Let people see a complete collection as `name`, instead of what they saw under it."""
        if name in self.names():
            self._note_dropped(self.shown(name))
            self._client.alter_alias(collection, name, timeout=self._seconds)
        else:
            self._client.create_alias(collection, name, timeout=self._seconds)

    def hide(self, name: str) -> None:
        """Take the name away; nothing when there is none."""
        if name in self.names():
            self._note_dropped(self.shown(name))
            self._client.drop_alias(name, timeout=self._seconds)

    def shown(self, name: str) -> str:
        """The collection that people see as `name`; UnknownName when there is none."""
        if name not in self.names():
            raise UnknownName(
                f"there is no collection of vectors {name!r} in Milvus; write it first, "
                "or choose one of `names()`"
            )
        return self._client.describe_alias(name, timeout=self._seconds)["collection_name"]

    def names(self) -> list[str]:
        """Every name that people see."""
        return sorted(alias for alias in self._aliases() if not _DROPPED.fullmatch(alias))

    def remove_left_over(self, *, idle_seconds: float) -> None:
        """Remove collections dropped so long ago, and those that a writer never finished."""
        for collection in cast("list[str]", self._client.list_collections(timeout=self._seconds)):
            gone_at = self._gone_at(collection, idle_seconds)
            if gone_at is not None and gone_at <= time.time():
                self.remove(collection)

    def remove(self, collection: str) -> None:
        """Remove a collection and what notes that it was dropped."""
        for alias in self._aliases(collection):
            self._client.drop_alias(alias, timeout=self._seconds)
        self._client.release_collection(collection, timeout=self._seconds)
        self._client.drop_collection(collection, timeout=self._seconds)

    def _gone_at(self, collection: str, idle_seconds: float) -> float | None:
        """From when on nobody needs it, in seconds since 1970; None while it is shown, or not ours."""
        ours = _COLLECTION.fullmatch(collection)
        if ours is None:
            return None
        noted = [_DROPPED.fullmatch(alias) for alias in self._aliases(collection)]
        dropped_at = [float(note["at"]) for note in noted if note]
        if len(dropped_at) < len(noted):
            return None
        if dropped_at:
            return max(dropped_at) + idle_seconds
        return float(ours["started"]) + _ABANDONED_SECONDS

    def _note_dropped(self, collection: str) -> None:
        note = f"_dropped_{int(time.time())}_{uuid.uuid4().hex[:12]}"
        self._client.create_alias(collection, note, timeout=self._seconds)

    def _aliases(self, collection: str = "") -> list[str]:
        found = cast("dict[str, Any]", self._client.list_aliases(collection, timeout=self._seconds))
        return list(found["aliases"])
