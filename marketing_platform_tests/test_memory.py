"""What a process freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Small pieces, every thousandth of which stays: the allocator keeps all between them until it is told.
_PROGRAM = """
import resource
from pathlib import Path

from marketing_platform.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

pieces = [bytes(20_000) for _ in range(20_000)]
kept = pieces[::1000]
pieces.append(pieces)  # refers to itself
held = resident()
del pieces
give_back()
print(held - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere allocators are not told")
def test_what_was_freed_is_given_back() -> None:
    finished = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert int(finished.stdout) > 300_000_000
