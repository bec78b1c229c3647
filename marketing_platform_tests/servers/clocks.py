"""What fault tests measure with."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Fails when the block takes longer."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < seconds, f"took {took:.2f} s, may take {seconds:g} s"
