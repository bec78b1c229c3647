"""Secrets of datastores: given by the environment or by a file, never by a default.

The one place that says which secrets are nobody's own. Which settings are secrets, and of which
server, is said by the settings' models.
"""

from __future__ import annotations

import stat
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

# What servers, their images and their tutorials come with; compared without regard to case.
_DEFAULTS = frozenset(
    {
        *(
            "admin",
            "changeit",
            "changeme",
            "change-me",
            "default",
            "example",
            "guest",
            "letmein",
            "marketing",
        ),
        *("milvus", "minioadmin", "mongo", "neo4j", "pass", "password", "passw0rd", "postgres", "redis"),
        *("root", "root:milvus", "secret", "test", "123456", "12345678"),
    }
)


def secret(value: SecretStr | None, file: Path | None) -> str | None:
    """The secret itself: the value, or what the file holds (its last line break left out)."""
    if value is not None:
        return value.get_secret_value()
    return None if file is None else file.read_text(encoding="utf-8").rstrip("\r\n")


def refused(found: str) -> str | None:
    """Why a secret protects nothing, or None; the reason does not repeat it."""
    if not found.strip():
        return "it is empty"
    return "it is a default that everybody knows" if found.casefold() in _DEFAULTS else None


def loose(file: Path) -> str | None:
    """Why a file keeps its secret badly, and what to do; None when it keeps it, or is not there."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return None
    if not mode & (stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH):
        return None
    return f"{file} may be read or changed by others (mode {mode:03o}); run: chmod 600 {file}"


def on_loopback(address: str) -> bool:
    """Whether every host of an address (`host`, `host:port,…`, a URL, a socket's folder) is this machine."""
    if address.startswith("/"):
        return True
    return all(_host_is_loopback(part.strip()) for part in address.split(","))


def _host_is_loopback(part: str) -> bool:
    try:
        host = urlsplit(part if "://" in part else f"//{part}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
