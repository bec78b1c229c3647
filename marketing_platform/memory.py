"""Memory that this process holds and does not need. What needs it is nobody's business here."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path

import pyarrow as pa

_PAGES = Path("/proc/self/statm")
# Less than this is kept for what comes next: looking for what refers to itself takes some tenths of a second.
_WORTH_IT = 256 << 20


class Leftovers:
    """What pieces of work left behind in this process, given back once it is much."""

    def __init__(self) -> None:
        self._held = _resident()

    def clear(self) -> None:
        """To be called after a piece of work."""
        if _resident() >= self._held + _WORTH_IT:
            _give_back()
            self._held = _resident()


def _give_back() -> None:
    """Return to the system what nobody refers to any more; takes some tenths of a second.

    What refers to itself waits for Python's collector, which counts objects, not their bytes; and allocators
    keep what is freed for what comes next. After a step that held millions of rows, or worked on all cores,
    both are gigabytes, which the next step takes on top.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    # In glibc alone; what other systems have returns more by itself.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def largest_ever() -> int:
    """The most bytes of this process that were in memory since it began, as the system counts."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _resident() -> int:
    """Bytes of this process in memory; where the system does not tell, the most there ever were."""
    try:
        return int(_PAGES.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return largest_ever()
