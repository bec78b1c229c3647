"""What people are told by the pipeline: failed runs, held batches, new releases, undeclared files.

A notice repeats what runs, ledger and shelf know. So one that cannot be kept stops nothing.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.records import RecordsDatabase, Tables

NOTICE_TABLES: Tables = {
    "notices": """
CREATE TABLE IF NOT EXISTS notices (
    number {counter}, at TEXT NOT NULL, message TEXT NOT NULL, details TEXT NOT NULL)"""
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """A sentence or two for people, and what programs may want to know."""

    at: str  # ISO 8601, UTC, to the second
    message: str
    details: dict[str, Any] = field(default_factory=dict)


class Notices(Protocol):
    """Notices in order; safe for many processes and threads at once."""

    def add(self, message: str, **details: Any) -> None:
        """Tell people something; `details` are what JSON can hold."""
        ...

    def end(self) -> int:
        """Where the next notice will stand."""
        ...

    def after(self, position: int) -> tuple[list[Notice], int]:
        """The notices added since `position` was the end, and the end now."""
        ...


class FileNotices:
    """Notices as lines of a file: one JSON object each, newest last."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, message: str, **details: Any) -> None:
        """Add a line."""
        with self._path.open("a") as notices:
            notices.write(json.dumps({"at": _now(), "message": message, **details}) + "\n")

    def end(self) -> int:
        """The size of the file in bytes."""
        return self._path.stat().st_size if self._path.exists() else 0

    def after(self, position: int) -> tuple[list[Notice], int]:
        """The lines after `position`; none when the file was emptied meanwhile."""
        if self.end() <= position:
            return [], self.end()
        with self._path.open() as notices:
            notices.seek(position)
            lines = notices.readlines()
            end = notices.tell()
        return [_of_line(line) for line in lines], end


class DatabaseNotices:
    """Notices in a database that has NOTICE_TABLES."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def add(self, message: str, **details: Any) -> None:
        """Add a row; logged instead when the database does not answer."""
        try:
            with self._database.writing() as execute:
                execute(
                    "INSERT INTO notices (at, message, details) VALUES ($1, $2, $3)",
                    _now(),
                    message,
                    json.dumps(details),
                )
        except StoreUnavailable:
            _log.warning("a notice could not be kept: %s", message, exc_info=True)

    def end(self) -> int:
        """The number of the last row."""
        with self._database.reading() as execute:
            return execute("SELECT coalesce(max(number), 0) FROM notices")[0][0]

    def after(self, position: int) -> tuple[list[Notice], int]:
        """The rows after `position`."""
        with self._database.reading() as execute:
            rows = execute(
                "SELECT number, at, message, details FROM notices WHERE number > $1 ORDER BY number", position
            )
        found = [Notice(at, message, json.loads(details)) for _, at, message, details in rows]
        return found, rows[-1][0] if rows else position


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _of_line(line: str) -> Notice:
    content = json.loads(line)
    return Notice(content.pop("at"), content.pop("message"), content)
