"""Reports as indented JSON files in one folder; people open them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from marketing_platform.errors import UnknownName


def readable(document: dict[str, Any]) -> bytes:
    """The document as people read it."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class FolderReports:
    """Implements `Reports`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: str, document: dict[str, Any]) -> str:
        """Store a report, complete or not at all; returns where it lies."""
        self._root.mkdir(parents=True, exist_ok=True)
        path = self._path(name)
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_bytes(readable(document))
        unfinished.replace(path)
        return str(path)

    def read(self, name: str) -> dict[str, Any]:
        """A stored report."""
        try:
            return orjson.loads(self._path(name).read_bytes())
        except FileNotFoundError:
            raise UnknownName(f"there is no report {name!r}") from None

    def names(self) -> list[str]:
        """Every complete report."""
        return sorted(path.stem for path in self._root.glob("*.json") if not path.name.startswith("."))

    def drop(self, name: str) -> None:
        """Remove a report."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._root / f"{name}.json"
