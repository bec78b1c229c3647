"""Folders under names: written aside, published at once, replaced as a whole, removed when unused.

The embedded stores keep one folder per name and share this one answer to a process that dies
at any moment. A folder is written under a hidden name; the name people see is a symbolic link to
it, so that publishing, also over an older version, is one atomic rename. Whoever uses a folder
holds a lock on it, and the kernel takes the lock from the dead: what is neither locked nor named
is left over, and the next write removes it. What lies in a folder is the stores' business.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from marketing_platform.errors import UnknownName

_LOCK = "lock"
_LINK = "link"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class OpenFolder:
    """A published folder that stays, even when its name is dropped or replaced, until closed."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        if self._lock is not None:
            _unlock(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class NamedFolders:
    """The folders below `root`; `what` says in error messages what they hold. No I/O until used."""

    def __init__(self, root: Path, what: str) -> None:
        self._root = root
        self._what = what

    @contextmanager
    def replace(self, name: str) -> Generator[Path]:
        """An empty folder to fill; it gets `name` when the block ends well, and is gone otherwise."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name {self._what}: letters, digits, '_', '-' and '.' only")
        with self.private() as folder:
            yield folder
            before = self._target(name)
            (folder / _LINK).symlink_to(folder.name)
            (folder / _LINK).replace(self._root / name)
        if before is not None:
            self._remove_unused(before)

    @contextmanager
    def private(self) -> Generator[Path]:
        """An empty folder that no other process touches and that is gone after the block."""
        folder, lock = self._claim()
        try:
            yield folder
        finally:
            _unlock(lock)
            self._remove_unused(folder)

    def open(self, name: str) -> OpenFolder:
        """The folder published under `name`; UnknownName when there is none."""
        while (folder := self._target(name)) is not None:
            with suppress(FileNotFoundError):  # replaced between the two lines: look again
                lock = os.open(folder / _LOCK, os.O_RDWR)
                fcntl.flock(lock, fcntl.LOCK_SH)
                if (folder / _LOCK).exists():
                    return OpenFolder(folder, lock)
                _unlock(lock)
        raise UnknownName(f"{self._root} holds no {self._what} under the name {name!r}")

    def names(self) -> list[str]:
        """Every published name."""
        if not self._root.is_dir():
            return []
        return sorted(path.name for path in self._root.iterdir() if path.is_symlink() and path.exists())

    def drop(self, name: str) -> None:
        """Remove a name at once, and its folder as soon as nobody has it open; unknown names are no error."""
        folder = self._target(name)
        (self._root / name).unlink(missing_ok=True)
        if folder is not None:
            self._remove_unused(folder)

    def _target(self, name: str) -> Path | None:
        try:
            return self._root / (self._root / name).readlink()
        except FileNotFoundError:
            return None

    def _claim(self) -> tuple[Path, int]:
        """A new locked folder; creating, locking and sweeping exclude each other through the root's lock."""
        self._root.mkdir(parents=True, exist_ok=True)
        root_lock = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(root_lock, fcntl.LOCK_EX)
            for left_over in self._root.glob(".*/"):
                self._remove_unused(left_over)
            folder = self._root / f".{uuid.uuid4().hex}"
            folder.mkdir()
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(lock, fcntl.LOCK_EX)
        finally:
            _unlock(root_lock)
        return folder, lock

    def _remove_unused(self, folder: Path) -> None:
        """Remove a folder that no process uses and no name refers to."""
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            return  # somebody else was faster
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Only now, under the lock: its writer may have published it a moment ago.
            if all(self._target(name) != folder for name in self.names()):
                shutil.rmtree(folder)
        except BlockingIOError:
            pass
        finally:
            _unlock(lock)


def _unlock(lock: int) -> None:
    # Explicitly: closing alone would leave the lock with a child process that inherited it.
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)
