"""What a run takes of the machine: memory of the process and its children, and room on disk."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

_SAMPLE_SECONDS = 0.02
_SAMPLES_PER_LOOK_FOR_CHILDREN = 25
_MB = 1e6
_BLOCK = 512  # bytes, the unit of st_blocks
# Files of these folders are put in for the run, not made by it.
_GIVEN = frozenset(["models"])


class Memory:
    """Samples what this process and its descendants reside in; peaks, in MB, are since the last `reset`."""

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._children: list[psutil.Process] = []
        self._lock = threading.Lock()
        self._peak = self._together = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def reset(self) -> None:
        with self._lock:
            self._peak = self._together = 0.0
        self._look()

    @property
    def peak(self) -> float:
        """The largest that any one of the processes resided in."""
        self._look()
        return self._peak

    @property
    def together(self) -> float:
        """The most that all of them resided in at one time; pages that they share count for each."""
        return self._together

    def _watch(self) -> None:
        while True:
            # Looking for children takes longer than looking at them.
            self._children = self._own.children(recursive=True)
            for _ in range(_SAMPLES_PER_LOOK_FOR_CHILDREN):
                self._look()
                time.sleep(_SAMPLE_SECONDS)

    def _look(self) -> None:
        resident = [self._own.memory_info().rss / _MB]
        for child in self._children:
            with suppress(psutil.NoSuchProcess):
                resident.append(child.memory_info().rss / _MB)
        with self._lock:
            self._peak = max(self._peak, *resident)
            self._together = max(self._together, sum(resident))


def peak_of_all_mb() -> float:
    """The largest that this process or a child that it waited for ever resided in, as the kernel counts."""
    unit = 1 if sys.platform == "darwin" else 1024
    largest = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return largest * unit / _MB


def disk_mb(folder: Path) -> dict[str, float]:
    """What each folder and file in `folder` takes on disk, in MB, largest first.

    A file that SQLite writes beside a database (`…-wal`) counts as the database.
    """
    found: Counter[str] = Counter()
    for entry in os.scandir(folder):
        if entry.name not in _GIVEN:
            directory = entry.is_dir(follow_symlinks=False)
            found[entry.name.partition("-")[0]] += _blocks(entry.path) if directory else _taken(entry)
    return {name: blocks * _BLOCK / _MB for name, blocks in found.most_common()}


def _blocks(folder: str) -> int:
    total = 0
    # A run may remove what is being looked at.
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            inside = entry.is_dir(follow_symlinks=False)
            total += _blocks(entry.path) if inside else _taken(entry)
    return total


def _taken(entry: os.DirEntry[str]) -> int:
    with suppress(FileNotFoundError):
        return entry.stat(follow_symlinks=False).st_blocks
    return 0
