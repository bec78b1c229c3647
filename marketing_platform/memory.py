"""Memory that this process holds and does not need. What needs it is nobody's business here."""

from __future__ import annotations

import ctypes
import gc

import pyarrow as pa


def give_back() -> None:
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
