"""What may be deleted: releases nobody needs, and stored names no kept release mentions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketing_platform.releases.erasures import Erasures
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


def erasures_due(erasures: Erasures, *, days: int, now: datetime) -> datetime | None:
    """Releases made before this moment hold users who have to be gone by now, or within a day."""
    bar = now - timedelta(days=days - 1)
    return max(
        (one.rows_gone_at for one in erasures.unfinished() if one.asked_at <= bar and one.rows_gone_at),
        default=None,
    )


def unpin_erased(shelf: ReleaseShelf, erasures: Erasures, *, days: int, now: datetime) -> None:
    """Let go of pinned releases that hold users who have to be gone."""
    due = erasures_due(erasures, days=days, now=now)
    for release_id in shelf.pins() if due is not None else ():
        if due is not None and shelf.load(release_id).created_at <= due:
            shelf.unpin(release_id)


def finish_erasures(shelf: ReleaseShelf, erasures: Erasures, *, now: datetime) -> None:
    """Note the erasures of users whom no release on the shelf was made with."""
    oldest = min((manifest.created_at for manifest in shelf.list()), default=now)
    for one in erasures.unfinished():
        if one.rows_gone_at is not None and oldest > one.rows_gone_at:
            erasures.done(one, now=now)


def collectable_releases(shelf: ReleaseShelf, *, keep: int, due: datetime | None = None) -> list[Manifest]:
    """Every release but the newest `keep`, the current one, those pinned, and the one before current.

    The release before the current one stays because rolling back one step must always work. Of those
    made before `due` none stays but the current one and those pinned.
    """
    current = shelf.current()
    protected = {current, *shelf.pins()}
    if current is not None:
        protected.add(shelf.load(current).previous)
    old = {manifest.release_id for manifest in shelf.list()[keep:]} - protected
    if due is not None:
        late = {manifest.release_id for manifest in shelf.list() if manifest.created_at <= due}
        old |= late - {current, *shelf.pins()}
    return [manifest for manifest in shelf.list() if manifest.release_id in old]


def collect(
    shelf: ReleaseShelf,
    ledger: Ledger,
    stores: Iterable[Shelf],
    *,
    keep: int,
    in_use: Iterable[str],
    due: datetime | None = None,
    dry_run: bool,
) -> Collected:
    """Delete old releases, then every stored name that nothing mentions any more.

    `in_use` are names of the latest materializations: the next release may be built from them.
    The ledger's parts stay as long as their batch does, since a later release may admit it again.
    """
    gone = collectable_releases(shelf, keep=keep, due=due)
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
