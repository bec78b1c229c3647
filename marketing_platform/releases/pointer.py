"""The shelf of releases and the pointer to the one that serves: what every kind of shelf promises.

The pointer moves by compare-and-swap: the caller says which release was current when it decided,
and loses with `ReleaseConflict` when that is no longer so. A kill at any point leaves the old
release or the new one. `shelf_folder.py` and `shelf_database.py` implement it; the rules they share are
here. What a release may contain is `manifest.py`'s, when one may be published `verification.py`'s,
and what may be deleted in the stores `collection.py`'s business.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from marketing_platform.errors import ReleaseConflict, ReleaseRefused, UnknownRelease
from marketing_platform.releases.manifest import Manifest

# Letters, digits, dash and underscore: an id can be neither a path nor one of the shelf's own files.
_RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_NEWEST = 5  # releases named when one is not known


class PointerMove(BaseModel):
    """One move of the pointer: from `previous` (None for the first) to `to`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: datetime
    previous: str | None
    to: str
    why: str
    who: str


class Pin(BaseModel):
    """Who keeps a release from being collected, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: datetime
    why: str
    who: str


class ReleaseShelf(Protocol):
    """Releases, the pointer, its history and pins; safe for many processes and threads at once."""

    def current(self) -> str | None:
        """The id of the release that serves, or None before the first one."""
        ...

    def load(self, release_id: str) -> Manifest:
        """The manifest of a release; UnknownRelease when there is none of that id."""
        ...

    def list(self) -> list[Manifest]:
        """Every release on the shelf, newest first."""
        ...

    def next_release_id(self, now: datetime) -> str:
        """An id for a release made at `now`, such as `r-20261121-063012-4f2a`, that nobody has yet."""
        ...

    def publish(
        self, manifest: Manifest, *, expected: str | None, why: str = "published", who: str = "pipeline"
    ) -> None:
        """Keep `manifest` and make it current, provided that `expected` still is.

        Publishing the same manifest again changes nothing, so a caller that does not know whether
        its first attempt landed may repeat it. ReleaseConflict when the pointer has moved or the
        id belongs to another manifest; nothing is published then.
        """
        ...

    def move(self, to: str, *, expected: str | None, why: str, who: str) -> PointerMove:
        """Make the kept release `to` current (a rollback, or its undoing).

        UnknownRelease when `to` is not on the shelf, ReleaseConflict when `expected` is no longer
        current.
        """
        ...

    def history(self) -> Sequence[PointerMove]:
        """Every move of the pointer, oldest first."""
        ...

    def pin(self, release_id: str, *, why: str, who: str) -> None:
        """Keep a release from being collected; UnknownRelease when there is none of that id."""
        ...

    def unpin(self, release_id: str) -> None:
        """Let a release be collected again; does nothing when it is not pinned."""
        ...

    def pins(self) -> Mapping[str, Pin]:
        """The pinned releases."""
        ...

    def remove(self, release_id: str) -> None:
        """Take a release off the shelf, before its data is dropped from the stores.

        ReleaseRefused when it is current or pinned, UnknownRelease when there is none of that id.
        """
        ...


def checked_id(release_id: str) -> str:
    """The id itself; UnknownRelease when it cannot be one."""
    if not _RELEASE_ID.fullmatch(release_id):
        raise UnknownRelease(f"{release_id[:100]!r}: no release id; they look like r-20261121-063012-4f2a")
    return release_id


def new_id(now: datetime, *, taken: Container[str]) -> str:
    """An id that tells the time and is not taken."""
    while True:
        candidate = f"r-{now.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        if candidate not in taken:
            return candidate


def newest_first(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Releases in the order in which a shelf lists them."""
    return sorted(manifests, key=lambda manifest: (manifest.created_at, manifest.release_id), reverse=True)


def unknown_release(release_id: str, kept: Sequence[Manifest]) -> UnknownRelease:
    """Says that there is no such release, and which there are (newest first)."""
    known = ", ".join(manifest.release_id for manifest in kept[:_NEWEST]) or "none"
    return UnknownRelease(f"{release_id}: no such release, or it was collected; the newest: {known}")


def require_current(expected: str | None, *, found: str | None) -> None:
    """ReleaseConflict unless the pointer stands where the caller believes it to."""
    if found != expected:
        raise ReleaseConflict(
            f"the pointer stands at {found or 'no release'}, expected {expected or 'no release'}; "
            "look at what was published meanwhile, then try again"
        )


def require_same(release_id: str, content: bytes, *, kept: bytes | None) -> None:
    """ReleaseConflict when the id is kept with another manifest."""
    if kept is not None and kept != content:
        raise ReleaseConflict(f"{release_id}: the id belongs to another manifest; take the next")


def require_removable(release_id: str, *, current: str | None, pinned: Container[str]) -> None:
    """ReleaseRefused when the release serves or is pinned."""
    if current == release_id:
        raise ReleaseRefused(f"{release_id}: is current; move the pointer before removing it")
    if release_id in pinned:
        raise ReleaseRefused(f"{release_id}: is pinned; unpin it before removing it")
