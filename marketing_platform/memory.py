"""Memory that this process holds and does not need. What needs it is nobody's business here."""

from __future__ import annotations

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Return to the system what was freed; takes some hundredths of a second.

    Allocators keep what is freed for what comes next. After a step that held millions of rows, or worked on
    all cores, that is gigabytes, which the next step, asking for pieces of other sizes, takes on top.
    """
    pa.default_memory_pool().release_unused()
    # In glibc alone; what other systems have returns more by itself.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
