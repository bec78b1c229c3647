"""Uploads that are gathered in a file before they land: so many at a time, each whole or not at all.

What they are and where they land is said in `writes/` and `files/`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import BinaryIO

from marketing_platform.ingestion.write_settings import WriteSettings
from marketing_platform.settings import Settings
from serving.errors import ApiError
from serving.threads import Threads

_PIECE = 1 << 20
_LONGEST = 600.0  # seconds for landing a whole upload, which may be far away


class Uploads:
    """Room for uploads of one kind, and threads of their own: landing one must hold up no other write."""

    def __init__(self, area: str, settings: Settings, writes: WriteSettings) -> None:
        self.threads = Threads(area, threads=writes.bulk_uploads, seconds=_LONGEST)
        self._folder = settings.data_dir.resolve() / "uploads" if settings.profile == "embedded" else None
        self._most = writes.bulk_uploads
        self._under_way = 0

    @contextmanager
    def place(self) -> Generator[None]:
        """One of the places; ApiError (`overloaded`) when all are taken."""
        if self._under_way >= self._most:
            raise ApiError("overloaded")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    @asynccontextmanager
    async def gathered(self) -> AsyncGenerator[BinaryIO]:
        """A file without a name: nothing is left of an upload that breaks off, not even by a kill."""
        with await asyncio.to_thread(self._unnamed_file) as target:
            yield target

    def _unnamed_file(self) -> BinaryIO:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._folder)  # pyright: ignore[reportReturnType] -- binary by default


def pieces(content: BinaryIO) -> Iterator[bytes]:
    """All that was gathered, from the beginning."""
    content.seek(0)
    return iter(lambda: content.read(_PIECE), b"")
