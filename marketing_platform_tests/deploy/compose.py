"""docker-compose.yml as tests read it: its services, and how their commands run without a container.

The server test starts the very commands of this file; only addresses differ, since there all of them
share one loopback.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
FILE = PROJECT / "docker-compose.yml"
_ANYWHERE = "0.0.0.0"


def document() -> dict[str, Any]:
    """The whole file, its YAML anchors resolved."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def ours() -> dict[str, dict[str, Any]]:
    """The services that run our own image."""
    services: dict[str, dict[str, Any]] = document()["services"]
    return {name: service for name, service in services.items() if "build" in service}


def command(service: str, ports: Mapping[str, int] | None = None) -> list[str]:
    """The command of a service for this machine: loopback, and `ports` by those that the file says."""
    given = {_ANYWHERE: "127.0.0.1", **{port: str(number) for port, number in (ports or {}).items()}}
    program, *arguments = (given.get(word, word) for word in ours()[service]["command"])
    arguments = [str(PROJECT / word) if word.startswith("deploy/") else word for word in arguments]
    return [str(Path(sys.executable).parent / program), *arguments]
