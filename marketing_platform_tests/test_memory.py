"""What a process freed goes back to the system, once it is much."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Small pieces, every thousandth of which stays: the allocator keeps all between them until it is told.
_PROGRAM = """
import gc
import resource
import sys
from pathlib import Path

from marketing_platform.memory import Leftovers

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

gc.disable()
leftovers = Leftovers()
pieces = [bytes(20_000) for _ in range(int(sys.argv[1]))]
kept = pieces[::1000]
pieces.append(pieces)  # refers to itself
held = resident()
del pieces
leftovers.clear()
print(held - resident())
"""


def _given_back(pieces: int) -> int:
    command = [sys.executable, "-c", _PROGRAM, str(pieces)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere allocators are not told")
def test_what_was_freed_is_given_back() -> None:
    assert _given_back(20_000) > 300_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not told")
def test_little_is_kept_for_what_comes_next() -> None:
    assert _given_back(2_000) < 10_000_000
