"""A journal in the landing zone itself, for machines whose disks do not outlive them: a group is an object.

A write is acknowledged once its object has landed, so it waits for those who come within
`gather_seconds`; where that is too long, or too many objects, writes go to Kafka (`journal_topics.py`).
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future

from marketing_platform.errors import AlreadyThere, StoreUnavailable
from marketing_platform.ingestion.journal import Entry, InObject, Place, object_name
from marketing_platform.ingestion.journal_threads import GroupThread, Waiting
from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.ingestion.written import Kind
from marketing_platform.stores.protocols import Objects

_BEAT = 1.0


class ObjectsJournal:
    """Implements `Journal` on a landing zone."""

    def __init__(self, objects: Objects, settings: WriteSettings) -> None:
        self._objects = objects
        self._thread = GroupThread(
            self._commit,
            lambda: None,
            waiting=settings.waiting_entries,
            beat=_BEAT,
            gather=settings.gather_seconds,
        )

    @property
    def remembers(self) -> bool:
        return False

    def open(self) -> None:
        """Nothing is ever left behind."""
        self._thread.start()

    def append(self, entry: Entry) -> Future[Place]:
        """Part of the next object."""
        return self._thread.append(entry)

    def close(self) -> None:
        """Land what waits."""
        self._thread.close()

    def _commit(self, group: Sequence[Waiting]) -> None:
        by_kind: dict[Kind, list[Waiting]] = defaultdict(list)
        for waiting in group:
            by_kind[waiting.entry.kind].append(waiting)
        for kind, waiting in by_kind.items():
            segment = secrets.token_hex(12)
            try:
                # A name nobody else can have: there already means that our own try arrived.
                self._land(kind, segment, waiting)
            except StoreUnavailable as error:
                for one in waiting:
                    one.place.set_exception(error)
                continue
            for one in waiting:
                one.place.set_result(InObject(segment))

    def _land(self, kind: Kind, segment: str, waiting: Sequence[Waiting]) -> None:
        lines = (line for one in waiting for line in one.entry.lines)
        try:
            self._objects.create(object_name(kind, segment), lines)
        except AlreadyThere:
            return
