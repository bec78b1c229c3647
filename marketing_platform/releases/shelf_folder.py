"""The shelf of releases in a folder.

    <root>/current.json              the last move of the pointer; replaced as a whole
    <root>/history.jsonl             every move before it, one JSON object per line
    <root>/<release_id>/manifest.json    written once, never overwritten
    <root>/<release_id>/pin.json     present while somebody pins the release

What a shelf promises is in `pointer.py`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

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

_MANIFEST = "manifest.json"
_PIN = "pin.json"


class FolderShelf:
    """Implements `ReleaseShelf` below one folder of a local disk."""

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
            raise unknown_release(release_id, self.list())
        return manifest

    def list(self) -> list[Manifest]:
        """Every release on the shelf, newest first."""
        found = (_read_manifest(path) for path in self._root.glob(f"*/{_MANIFEST}"))
        return newest_first([manifest for manifest in found if manifest is not None])

    def next_release_id(self, now: datetime) -> str:
        """An id that nobody has yet."""
        return new_id(now, taken=[path.name for path in self._root.glob("*/")])

    def publish(
        self, manifest: Manifest, *, expected: str | None, why: str = "published", who: str = "pipeline"
    ) -> None:
        """Keep `manifest` and make it current, provided that `expected` still is."""
        content = manifest.to_json()
        path = self._folder(manifest.release_id) / _MANIFEST
        with self._locked():
            require_same(manifest.release_id, content, kept=path.read_bytes() if path.exists() else None)
            if self.current() == manifest.release_id:
                return
            require_current(expected, found=self.current())
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                _replace(path, content)
                _sync_folder(self._root)
            self._point(manifest.release_id, why=why, who=who)

    def move(self, to: str, *, expected: str | None, why: str, who: str) -> PointerMove:
        """Make the kept release `to` current, provided that `expected` still is."""
        with self._locked():
            self.load(to)
            require_current(expected, found=self.current())
            return self._point(to, why=why, who=who)

    def history(self) -> list[PointerMove]:
        """Every move of the pointer, oldest first."""
        logged, _ = self._logged_moves()
        last = self._last_move()
        return logged if last is None or (logged and logged[-1] == last) else [*logged, last]

    def pin(self, release_id: str, *, why: str, who: str) -> None:
        """Keep a release from being collected."""
        with self._locked():
            self.load(release_id)
            _replace(self._folder(release_id) / _PIN, _to_json(Pin(at=datetime.now(UTC), why=why, who=who)))

    def unpin(self, release_id: str) -> None:
        """Let a release be collected again."""
        with self._locked():
            self.load(release_id)
            (self._folder(release_id) / _PIN).unlink(missing_ok=True)

    def pins(self) -> dict[str, Pin]:
        """The pinned releases."""
        found = self._root.glob(f"*/{_PIN}")
        return {path.parent.name: Pin.model_validate_json(path.read_bytes()) for path in found}

    def remove(self, release_id: str) -> None:
        """Take a release off the shelf."""
        with self._locked():
            self.load(release_id)
            require_removable(release_id, current=self.current(), pinned=self.pins())
            folder = self._folder(release_id)
            (folder / _MANIFEST).unlink()  # from here on the release does not exist
            for rest in folder.iterdir():
                rest.unlink()
            folder.rmdir()

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
        return self._root / checked_id(release_id)

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file closes, also by a kill
            yield


def _read_manifest(path: Path) -> Manifest | None:
    try:
        return Manifest.from_json(path.read_bytes(), where=str(path))
    except FileNotFoundError:
        return None


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
