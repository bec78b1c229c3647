"""Where Dagster keeps events in the embedded profile: its own SQLite files, whose engines are kept.

Dagster makes an engine for each of a run's thousand events, and for each look at them. A new one knows no
statement yet and begins with an empty page cache, which was a quarter of all time in a small run. Nothing
about the files is different. Named by `dagster.yaml`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, NullPool, Pool, QueuePool, create_engine

_MOST_RUNS = 50  # that engines are kept for: a daemon sees runs for months


class EventLog(SqliteEventLogStorage):
    """Dagster's SQLite event log; one connection at a time, as there."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        self._alone = Lock()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Dagster's home, below which the files are where Dagster has them unless told otherwise."""
        return {"home": dg.StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> EventLog:
        """Open the log of that home."""
        return cls(str(Path(config_value["home"], "history", "runs")), inst_data)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """To the file of a run. It is closed each time: the UI sees events come by the file that changes."""
        return self._connection(str(run_id), super().run_connection(run_id), NullPool)

    def index_connection(self) -> AbstractContextManager[Connection]:
        """To the file of all runs, which stays open."""
        return self._connection(INDEX_SHARD_NAME, super().index_connection(), QueuePool)

    def wipe(self) -> None:
        """Forget everything; files of runs are removed."""
        with self._alone:
            self._forget()
        super().wipe()

    def dispose(self) -> None:
        """Let go of the files."""
        with self._alone:
            self._forget()
        super().dispose()

    @contextmanager
    def _connection(
        self, file: str, dagsters: AbstractContextManager[Connection], pool: type[Pool]
    ) -> Generator[Connection]:
        with self._alone:
            if file not in self._engines:
                with dagsters:  # makes the file and its tables where they are missing
                    pass
                if len(self._engines) > _MOST_RUNS:
                    self._forget()
                url, options = self.conn_string_for_shard(file), {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
                self._engines[file] = create_engine(url, poolclass=pool, connect_args=options)
            with self._engines[file].begin() as connection:
                yield connection

    def _forget(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
