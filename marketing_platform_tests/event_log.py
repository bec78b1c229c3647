"""Dagster's storage in SQLite, made quicker where tests run whole installations: it is not what they try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine


@pytest.fixture(scope="session", autouse=True)
def quick_event_log() -> Iterator[None]:
    """No waiting for the disk, and one engine per database.

    What a power cut does is not tried. For every call Dagster makes an engine anew, which knows no statement
    yet and holds no connection (`NullPool`), so that keeping it changes nothing but the time.
    """
    kept: dict[str, Engine] = {}

    def engine_of(url: Any, **options: Any) -> Engine:
        if str(url) not in kept:
            kept[str(url)] = create_engine(url, **options)
            event.listen(kept[str(url)], "connect", _without_fsync)
        return kept[str(url)]

    with pytest.MonkeyPatch.context() as patch:
        for module in (sqlite_event_log, sqlite_run_storage):
            patch.setattr(module, "create_engine", engine_of)
        yield


def _without_fsync(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")
