"""How much of what a stream landed still waits to be judged: what the consumer slows down for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from marketing_platform.releases.ledger import Batch
from marketing_platform.stores.protocols import Objects


class Judged(Protocol):
    """What of the ledger is needed here."""

    def seen(self) -> set[tuple[str, str]]: ...

    def pending(self) -> list[Batch]: ...


class Backlog:
    """Counts landed objects that are not judged: known to the ledger or not yet."""

    def __init__(self, objects: Objects, ledger: Judged) -> None:
        self._objects = objects
        self._ledger = ledger
        self._first_unseen: dict[str, str] = {}  # by folder: what lies before it, the ledger knows

    def count(self, folders: Iterable[str]) -> int:
        """How many objects in these folders of the landing zone wait."""
        seen = self._ledger.seen()
        inside = tuple(f"{folder}/" for folder in folders)
        waiting = sum(batch.object.startswith(inside) for batch in self._ledger.pending())
        return waiting + sum(self._unseen(folder.removesuffix("/"), seen) for folder in inside)

    def _unseen(self, folder: str, seen: set[tuple[str, str]]) -> int:
        unseen = 0
        for landed in self._objects.list(below=folder, start=self._first_unseen.get(folder, "")):
            if not unseen:
                self._first_unseen[folder] = landed.name
            unseen += (landed.name, landed.generation) not in seen
        return unseen
