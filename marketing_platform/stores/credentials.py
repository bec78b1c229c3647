"""Secrets of datastores: given by the environment or by a file, never by a default."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr


def secret(value: SecretStr | None, file: Path | None) -> str | None:
    """The secret itself: the value, or what the file holds (its last line break left out)."""
    if value is not None:
        return value.get_secret_value()
    return None if file is None else file.read_text(encoding="utf-8").rstrip("\r\n")
