"""The landing zone as a folder, and the kept copies of what landed in it.

Files in the landing folder belong to whoever writes them and may change at any moment. Each
version that is taken is therefore first copied to `kept/<sha256>`, and only the copy is read:
the bytes that were hashed are the bytes that are loaded, today and in a replay next year.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from marketing_platform.errors import AlreadyThere, ChangedWhileRead, UnknownName
from marketing_platform.stores.landed_names import is_hidden, is_whole
from marketing_platform.stores.protocols import LandedObject
from marketing_platform.stores.stream import STREAM_FOLDER

_PORTION = 1 << 20


class FolderObjects:
    """Implements `Objects` on two folders: `landing`, which others write, and `kept`, which is ours."""

    def __init__(self, landing: Path, kept: Path) -> None:
        self._landing = landing
        self._kept = kept

    def list(self, *, below: str = "", start: str = "") -> Iterator[LandedObject]:
        """Every complete-looking file below the landing folder, in order of name."""
        for path in _paths(self._landing / below):
            if start and path.relative_to(self._landing).as_posix() < start:
                continue
            try:
                # Links count as what they lead to; pipes and sockets would be waited for.
                if path.is_file():
                    yield self._describe(path)
            except FileNotFoundError:  # removed since the folder was listed
                continue

    def snapshot(self, landed: LandedObject) -> tuple[str, int]:
        """Copy the object and return (sha256, bytes); ChangedWhileRead when it moved meanwhile."""
        path = self._landing / landed.name
        self._kept.mkdir(parents=True, exist_ok=True)
        copy = self._kept / f".{uuid.uuid4().hex}"
        digest = hashlib.sha256()
        size = 0
        try:
            with path.open("rb") as source, copy.open("wb") as target:
                while portion := source.read(_PORTION):
                    digest.update(portion)
                    target.write(portion)
                    size += len(portion)
                target.flush()
                os.fsync(target.fileno())
            if self._describe(path).generation != landed.generation:
                raise ChangedWhileRead(
                    f"{landed.name} changed while it was read; it is taken once it is still"
                )
            copy.replace(self._kept / digest.hexdigest())
        except FileNotFoundError:
            raise ChangedWhileRead(f"{landed.name} was removed before it was read") from None
        finally:
            copy.unlink(missing_ok=True)
        return digest.hexdigest(), size

    def open(self, content_hash: str) -> BinaryIO:
        """The kept bytes with that hash."""
        try:
            return (self._kept / content_hash).open("rb")
        except FileNotFoundError:
            raise UnknownName(f"no kept object has the content hash {content_hash}") from None

    def forget(self, name: str, content_hash: str) -> None:
        """Remove the kept copy, and the landed file where it still has those bytes."""
        path = self._landing / name
        with suppress(FileNotFoundError):
            if not name.startswith(f"{STREAM_FOLDER}/"):
                with path.open("rb") as landed:
                    same = hashlib.file_digest(landed, "sha256").hexdigest() == content_hash
                if same:
                    path.unlink()
        (self._kept / content_hash).unlink(missing_ok=True)

    def put(self, name: str, content: Iterable[bytes]) -> LandedObject:
        """Write a file into the landing folder; it appears under its name only when complete."""
        path = self._landing / name
        with self._written(path, content) as complete:
            complete.replace(path)
        return self._describe(path)

    def create(self, name: str, content: Iterable[bytes]) -> LandedObject:
        """As `put`, unless the name is taken: a link, other than a rename, never replaces a file."""
        path = self._landing / name
        if path.exists():  # spares the writing; the link below decides
            raise _already_there(name)
        with self._written(path, content) as complete:
            try:
                path.hardlink_to(complete)
            except FileExistsError:
                raise _already_there(name) from None
        self._make_lasting(path.parent)
        return self._describe(path)

    @contextmanager
    def _written(self, path: Path, content: Iterable[bytes]) -> Generator[Path]:
        """The content in a hidden file beside `path`, on disk; gone when the block ends."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent / f".{uuid.uuid4().hex}"
        try:
            with unfinished.open("wb") as target:
                for portion in content:
                    target.write(portion)
                target.flush()
                os.fsync(target.fileno())
            yield unfinished
        finally:
            unfinished.unlink(missing_ok=True)

    def _make_lasting(self, folder: Path) -> None:
        """Bring the names in `folder`, and its own in the folders above, to disk."""
        while folder != self._landing.parent:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            folder = folder.parent

    def _describe(self, path: Path) -> LandedObject:
        status = path.stat()
        return LandedObject(
            name=path.relative_to(self._landing).as_posix(),
            # The inode tells a file that was replaced by another of the same age and size.
            generation=f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}",
            size=status.st_size,
            # The kernel's own time: the time of the content may be copied from elsewhere, even the future.
            updated_at=datetime.fromtimestamp(status.st_ctime, UTC),
        )


def _paths(folder: Path) -> Iterator[Path]:
    """What lies below a folder, in order of whole paths as a bucket has it: `a.csv`, then `a/1.csv`."""
    try:
        entries = [
            f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
            for entry in os.scandir(folder)
        ]
    except OSError:  # not there, or not ours to look into
        return
    for name in sorted(entries):
        if is_hidden(name):
            continue
        if name.endswith("/"):
            yield from _paths(folder / name)
        elif is_whole(name):
            yield folder / name


def _already_there(name: str) -> AlreadyThere:
    return AlreadyThere(f"{name} has landed before; it stays as it is")
