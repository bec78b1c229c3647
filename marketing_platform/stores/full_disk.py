"""A full disk under the embedded stores, told as what it is.

Each library that writes there says it in its own words, some only "disk I/O error"; nothing half-written is
ever visible, whichever of them it hit.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from marketing_platform.errors import StoreFull

_SAID = ("no space left on device", "disk is full", "disk quota exceeded", "file too large")
_LITTLE = 1 << 20  # bytes: with less, nothing that fails deserves another explanation


@contextmanager
def telling_full_disk(folder: Path) -> Generator[None]:
    """An error in the block that comes of a full disk becomes StoreFull; any other stays what it is."""
    try:
        yield
    except Exception as error:
        disk = shutil.disk_usage(folder)
        if disk.free >= _LITTLE and not _says_so(error):
            raise
        raise StoreFull(
            f"no space is left for {folder}: {disk.free / 1e6:.1f} of {disk.total / 1e6:,.0f} MB are free."
            " What was released before goes on serving; make space (`marketing-platform releases collect`"
            " removes what no release needs), then run again"
        ) from error


def _says_so(error: BaseException | None) -> bool:
    while error is not None:
        if any(said in str(error).lower() for said in _SAID):
            return True
        error = error.__cause__ or error.__context__
    return False
