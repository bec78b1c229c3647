"""The API as a process of its own, for tests that kill it or run several beside each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

PURCHASE = {
    "product_id": "p-1",
    "timestamp": "2026-01-01T00:00:00Z",
    "quantity": 1,
    "unit_price": "2.50",
    "currency": "EUR",
}
_START_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """A running API."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def served(data_dir: Path, **environment: str) -> Generator[Served]:
    """`python -m serving` on a folder, until the block ends or the test kills it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = os.environ | {"MARKETING_DATA_DIR": str(data_dir)} | environment
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "--port", str(port)], env=variables, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                httpx.get(f"{url}/openapi.json", timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None, "the API ended"
                assert time.monotonic() < deadline, "the API did not start in time"
                time.sleep(0.05)
        yield Served(url, process)
    finally:
        process.terminate()
        process.wait(20)
