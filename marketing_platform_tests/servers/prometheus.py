"""Prometheus and promtool from Debian's packages."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from marketing_platform_tests.servers.base import Running, free_port, started
from marketing_platform_tests.servers.packages import install_debian


@contextmanager
def running(config: Path) -> Generator[Running]:
    """A server with this configuration; it writes beside it."""
    endpoint = f"127.0.0.1:{free_port()}"
    command = [
        _installed("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'data'}",
        f"--web.listen-address={endpoint}",
    ]
    with started(
        command, endpoint=endpoint, folder=config.parent, answers=lambda: _ready(endpoint)
    ) as server:
        yield server


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool in a folder."""
    command = [_installed("promtool"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _installed(program: str) -> str:
    if shutil.which(program) is None:
        install_debian("prometheus")
    return shutil.which(program) or program


def _ready(endpoint: str) -> bool:
    with urllib.request.urlopen(f"http://{endpoint}/-/ready", timeout=1) as answer:
        return answer.status == 200
