"""The shelf of releases in a database, which several machines share.

`releases` holds manifests, written once; `pointer` is one row, changed by an UPDATE whose WHERE names
the release that the caller expects; `pointer_moves` is the history, written in the same transaction.
What a shelf promises is in `pointer.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import stamina

from marketing_platform.errors import StoreUnavailable
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import (
    Pin,
    PointerMove,
    checked_id,
    new_id,
    newest_first,
    require_current,
    require_removable,
    require_same,
    unknown_release,
)
from marketing_platform.stores.records import Execute, RecordsDatabase, Tables

SHELF_TABLES: Tables = {
    # Text, byte for byte as it was written: jsonb would lose the order of columns.
    "releases": "CREATE TABLE IF NOT EXISTS releases (release_id TEXT PRIMARY KEY, manifest TEXT NOT NULL)",
    "pointer": """
CREATE TABLE IF NOT EXISTS pointer (
    name TEXT PRIMARY KEY CHECK (name = 'current'),
    release_id TEXT NOT NULL REFERENCES releases (release_id))""",
    "pointer_moves": """
CREATE TABLE IF NOT EXISTS pointer_moves (
    number {counter}, at TEXT NOT NULL, previous TEXT, release_id TEXT NOT NULL,
    why TEXT NOT NULL, who TEXT NOT NULL)""",
    "pins": """
CREATE TABLE IF NOT EXISTS pins (
    release_id TEXT PRIMARY KEY REFERENCES releases (release_id),
    at TEXT NOT NULL, why TEXT NOT NULL, who TEXT NOT NULL)""",
}


class DatabaseShelf:
    """Implements `ReleaseShelf` in a database that has SHELF_TABLES."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def current(self) -> str | None:
        """The id of the release that serves, or None before the first one."""
        with self._database.reading() as execute:
            return _current(execute)

    def load(self, release_id: str) -> Manifest:
        """The manifest of a release; UnknownRelease when there is none of that id."""
        with self._database.reading() as execute:
            return _load(execute, release_id)

    def list(self) -> list[Manifest]:
        """Every release on the shelf, newest first."""
        with self._database.reading() as execute:
            return _list(execute)

    def next_release_id(self, now: datetime) -> str:
        """An id that nobody has yet."""
        with self._database.reading() as execute:
            return new_id(now, taken=[row[0] for row in execute("SELECT release_id FROM releases")])

    @stamina.retry(on=StoreUnavailable, attempts=3, wait_initial=0.2, wait_max=2.0, timeout=10.0)
    def publish(
        self, manifest: Manifest, *, expected: str | None, why: str = "published", who: str = "pipeline"
    ) -> None:
        """Keep `manifest` and make it current, provided that `expected` still is.

        Tried again when the connection broke, also while it was committing: the second attempt finds
        what the first has done.
        """
        content, release_id = manifest.to_json(), checked_id(manifest.release_id)
        with self._database.writing() as execute:
            kept = _content(execute, release_id)
            require_same(release_id, content, kept=kept)
            if _current(execute) == release_id:
                return
            if kept is None:
                execute("INSERT INTO releases VALUES ($1, $2)", release_id, content.decode())
            _point(execute, release_id, expected=expected, why=why, who=who)

    def move(self, to: str, *, expected: str | None, why: str, who: str) -> PointerMove:
        """Make the kept release `to` current, provided that `expected` still is."""
        with self._database.writing() as execute:
            _load(execute, to)
            return _point(execute, to, expected=expected, why=why, who=who)

    def history(self) -> list[PointerMove]:
        """Every move of the pointer, oldest first."""
        with self._database.reading() as execute:
            rows = execute("SELECT at, previous, release_id, why, who FROM pointer_moves ORDER BY number")
        return [PointerMove(at=row[0], previous=row[1], to=row[2], why=row[3], who=row[4]) for row in rows]

    def pin(self, release_id: str, *, why: str, who: str) -> None:
        """Keep a release from being collected."""
        with self._database.writing() as execute:
            _load(execute, release_id)
            execute(
                "INSERT INTO pins (release_id, at, why, who) VALUES ($1, $2, $3, $4) ON CONFLICT (release_id)"
                " DO UPDATE SET at = excluded.at, why = excluded.why, who = excluded.who",
                release_id,
                datetime.now(UTC).isoformat(),
                why,
                who,
            )

    def unpin(self, release_id: str) -> None:
        """Let a release be collected again."""
        with self._database.writing() as execute:
            _load(execute, release_id)
            execute("DELETE FROM pins WHERE release_id = $1", release_id)

    def pins(self) -> dict[str, Pin]:
        """The pinned releases."""
        with self._database.reading() as execute:
            return _pins(execute)

    def remove(self, release_id: str) -> None:
        """Take a release off the shelf."""
        with self._database.writing() as execute:
            _load(execute, release_id)
            require_removable(release_id, current=_current(execute), pinned=_pins(execute))
            execute("DELETE FROM releases WHERE release_id = $1", release_id)


def _current(execute: Execute) -> str | None:
    found = execute("SELECT release_id FROM pointer")
    return found[0][0] if found else None


def _content(execute: Execute, release_id: str) -> bytes | None:
    found = execute("SELECT manifest FROM releases WHERE release_id = $1", checked_id(release_id))
    return found[0][0].encode() if found else None


def _load(execute: Execute, release_id: str) -> Manifest:
    content = _content(execute, release_id)
    if content is None:
        raise unknown_release(release_id, _list(execute))
    return Manifest.from_json(content, where=release_id)


def _list(execute: Execute) -> list[Manifest]:
    rows = execute("SELECT release_id, manifest FROM releases")
    return newest_first([Manifest.from_json(manifest, where=release_id) for release_id, manifest in rows])


def _pins(execute: Execute) -> dict[str, Pin]:
    rows = execute("SELECT release_id, at, why, who FROM pins")
    return {release_id: Pin(at=at, why=why, who=who) for release_id, at, why, who in rows}


def _point(execute: Execute, to: str, *, expected: str | None, why: str, who: str) -> PointerMove:
    """Move the pointer if it stands at `expected`, and note the move."""
    if expected is None:
        moved = execute(
            "INSERT INTO pointer (name, release_id) VALUES ('current', $1)"
            " ON CONFLICT (name) DO NOTHING RETURNING release_id",
            to,
        )
    else:
        moved = execute(
            "UPDATE pointer SET release_id = $1 WHERE release_id = $2 RETURNING release_id", to, expected
        )
    if not moved:
        require_current(expected, found=_current(execute))
    move = PointerMove(at=datetime.now(UTC), previous=expected, to=to, why=why, who=who)
    execute(
        "INSERT INTO pointer_moves (at, previous, release_id, why, who) VALUES ($1, $2, $3, $4, $5)",
        move.at.isoformat(),
        move.previous,
        move.to,
        move.why,
        move.who,
    )
    return move
