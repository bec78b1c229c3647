"""The shelf of releases and the pointer to the one that serves.

    <root>/current.json              the last move of the pointer; replaced as a whole
    <root>/history.jsonl             every move before it, one JSON object per line
    <root>/<release_id>/manifest.json    written once, never overwritten
    <root>/<release_id>/pin.json     present while somebody pins the release

The pointer moves by compare-and-swap: the caller says which release was current when it decided,
and loses with `ReleaseConflict` when that is no longer so. A kill at any point leaves the old
release or the new one. What a release may contain is `manifest.py`'s, when one may be published
`verification.py`'s, and what may be deleted in the stores `collection.py`'s business.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from marketing_platform.errors import ReleaseConflict, ReleaseRefused, UnknownRelease
from marketing_platform.releases.manifest import Manifest

# Letters, digits, dash and underscore: an id can be neither a path nor one of the shelf's own files.
_RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_MANIFEST = "manifest.json"
_PIN = "pin.json"


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


class ReleaseShelf:
    """Releases below one folder; safe for many processes and threads at once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def current(self) -> str | None:
        """The id of the release that serves, or None before the first one."""
        move = self._last_move()
        return move.to if move else None

    def load(self, release_id: str) -> Manifest:
        """The manifest of a release; UnknownRelease when there is none of that id."""
        manifest = _read_manifest(self._folder(release_id) / _MANIFEST)
        if manifest is None:
            known = ", ".join(release.release_id for release in self.list()[:5]) or "none"
            raise UnknownRelease(f"{release_id}: no such release, or it was collected; the newest: {known}")
        return manifest

    def list(self) -> list[Manifest]:
        """Every release on the shelf, newest first."""
        found = (_read_manifest(path) for path in self._root.glob(f"*/{_MANIFEST}"))
        kept = [manifest for manifest in found if manifest is not None]
        return sorted(kept, key=lambda manifest: (manifest.created_at, manifest.release_id), reverse=True)

    def next_release_id(self, now: datetime) -> str:
        """An id for a release made at `now`, such as `r-20261121-063012-4f2a`, that nobody has yet."""
        while True:
            candidate = f"r-{now.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            if not (self._root / candidate).exists():
                return candidate

    def publish(
        self, manifest: Manifest, *, expected: str | None, why: str = "published", who: str = "pipeline"
    ) -> None:
        """Keep `manifest` and make it current, provided that `expected` still is.

        Publishing the same manifest again changes nothing, so a caller that does not know whether
        its first attempt landed may repeat it. ReleaseConflict when the pointer has moved or the
        id belongs to another manifest; nothing is published then.
        """
        content = _manifest_bytes(manifest)
        path = self._folder(manifest.release_id) / _MANIFEST
        with self._locked():
            if path.exists() and path.read_bytes() != content:
                raise ReleaseConflict(
                    f"{manifest.release_id}: the id belongs to another manifest; take the next"
                )
            if self.current() == manifest.release_id:
                return
            self._require_current(expected)
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                _replace(path, content)
                _sync_folder(self._root)
            self._point(manifest.release_id, why=why, who=who)

    def move(self, to: str, *, expected: str | None, why: str, who: str) -> PointerMove:
        """Make the kept release `to` current (a rollback, or its undoing).

        UnknownRelease when `to` is not on the shelf, ReleaseConflict when `expected` is no longer
        current.
        """
        with self._locked():
            self.load(to)
            self._require_current(expected)
            return self._point(to, why=why, who=who)

    def history(self) -> list[PointerMove]:
        """Every move of the pointer, oldest first."""
        logged, _ = self._logged_moves()
        last = self._last_move()
        return logged if last is None or (logged and logged[-1] == last) else [*logged, last]

    def pin(self, release_id: str, *, why: str, who: str) -> None:
        """Keep a release from being collected; UnknownRelease when there is none of that id."""
        with self._locked():
            self.load(release_id)
            _replace(self._folder(release_id) / _PIN, _to_json(Pin(at=datetime.now(UTC), why=why, who=who)))

    def unpin(self, release_id: str) -> None:
        """Let a release be collected again; does nothing when it is not pinned."""
        with self._locked():
            self.load(release_id)
            (self._folder(release_id) / _PIN).unlink(missing_ok=True)

    def pins(self) -> dict[str, Pin]:
        """The pinned releases."""
        found = self._root.glob(f"*/{_PIN}")
        return {path.parent.name: Pin.model_validate_json(path.read_bytes()) for path in found}

    def remove(self, release_id: str) -> None:
        """Take a release off the shelf, before its data is dropped from the stores.

        ReleaseRefused when it is current or pinned, UnknownRelease when there is none of that id.
        """
        with self._locked():
            self.load(release_id)
            if self.current() == release_id:
                raise ReleaseRefused(f"{release_id}: is current; move the pointer before removing it")
            if release_id in self.pins():
                raise ReleaseRefused(f"{release_id}: is pinned; unpin it before removing it")
            folder = self._folder(release_id)
            (folder / _MANIFEST).unlink()  # from here on the release does not exist
            for rest in folder.iterdir():
                rest.unlink()
            folder.rmdir()

    def _require_current(self, expected: str | None) -> None:
        found = self.current()
        if found != expected:
            raise ReleaseConflict(
                f"the pointer stands at {found or 'no release'}, expected {expected or 'no release'}; "
                "look at what was published meanwhile, then try again"
            )

    def _point(self, to: str, *, why: str, who: str) -> PointerMove:
        """Replace the pointer; the caller holds the lock.

        The pointer carries its whole move, and a move enters the log when the next one replaces
        it. So there is one atomic step, and no kill can part the pointer from its history.
        """
        last = self._last_move()
        if last is not None:
            self._log(last)
        move = PointerMove(at=datetime.now(UTC), previous=last.to if last else None, to=to, why=why, who=who)
        _replace(self._root / "current.json", _to_json(move))
        return move

    def _log(self, move: PointerMove) -> None:
        logged, complete = self._logged_moves()
        if logged and logged[-1] == move:
            return  # a kill came between this line and the pointer
        with (self._root / "history.jsonl").open("ab") as log:
            log.truncate(complete)  # what a kill left of a line
            log.write(_to_json(move))
            log.flush()
            os.fsync(log.fileno())

    def _logged_moves(self) -> tuple[list[PointerMove], int]:
        """The moves in the log and the length in bytes of its complete lines."""
        try:
            content = (self._root / "history.jsonl").read_bytes()
        except FileNotFoundError:
            return [], 0
        complete = content.rfind(b"\n") + 1
        return [PointerMove.model_validate_json(line) for line in content[:complete].splitlines()], complete

    def _last_move(self) -> PointerMove | None:
        try:
            return PointerMove.model_validate_json((self._root / "current.json").read_bytes())
        except FileNotFoundError:
            return None

    def _folder(self, release_id: str) -> Path:
        if not _RELEASE_ID.fullmatch(release_id):
            raise UnknownRelease(
                f"{release_id[:100]!r}: no release id; they look like r-20261121-063012-4f2a"
            )
        return self._root / release_id

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file closes, also by a kill
            yield


def _read_manifest(path: Path) -> Manifest | None:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UnknownRelease(f"{path}: no manifest that this version can read: {error}") from error


def _manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as JSON: fields as declared, entries by name, columns in the table's order."""
    document = manifest.model_dump(mode="json")
    for name, value in manifest:
        if isinstance(value, dict):
            document[name] = dict(sorted(document[name].items()))
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _to_json(record: BaseModel) -> bytes:
    return record.model_dump_json().encode() + b"\n"


def _replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step that survives a power cut; the caller holds the lock."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
