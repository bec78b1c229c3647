"""What may be deleted: releases nobody needs, and stored names no kept release mentions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from marketing_platform.releases.ledger import Ledger
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf


@dataclass(frozen=True)
class Shelf:
    """One store's names, and how to drop one."""

    store: str
    names: Callable[[], Sequence[str]]
    drop: Callable[[str], None]


@dataclass(frozen=True)
class Collected:
    """What was, or would be, deleted."""

    releases: tuple[str, ...]
    names: tuple[tuple[str, str], ...]  # (store, name)


def collectable_releases(shelf: ReleaseShelf, *, keep: int) -> list[Manifest]:
    """Every release but the newest `keep`, the current one, those pinned, and the one before current.

    The release before the current one stays because rolling back one step must always work.
    """
    current = shelf.current()
    protected = {current, *shelf.pins()}
    if current is not None:
        protected.add(shelf.load(current).previous)
    return [manifest for manifest in shelf.list()[keep:] if manifest.release_id not in protected]


def collect(
    shelf: ReleaseShelf,
    ledger: Ledger,
    stores: Iterable[Shelf],
    *,
    keep: int,
    in_use: Iterable[str],
    dry_run: bool,
) -> Collected:
    """Delete old releases, then every stored name that nothing mentions any more.

    `in_use` are names of the latest materializations: the next release may be built from them.
    The ledger's parts stay as long as their batch does, since a later release may admit it again.
    """
    gone = collectable_releases(shelf, keep=keep)
    kept = [manifest for manifest in shelf.list() if manifest not in gone]
    needed = {name for manifest in kept for name in manifest.stored_names()}
    needed.update(in_use)
    needed.update(part for batch in ledger.batches() for part in batch.parts.values())
    doomed = [(store, name) for store in stores for name in store.names() if name not in needed]
    if not dry_run:
        for manifest in gone:
            shelf.remove(manifest.release_id)
        for store, name in doomed:
            store.drop(name)
    return Collected(
        tuple(manifest.release_id for manifest in gone), tuple((store.store, name) for store, name in doomed)
    )
