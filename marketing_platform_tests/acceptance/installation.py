"""One installation of the platform on a folder, as tests drive it: land, run, look at what came of it."""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from marketing_platform.cli import main
from marketing_platform.cli.run import run_pipeline
from marketing_platform.releases.ledger import Batch, Ledger
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.callers import client_of
from serving.app import create_app


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; fails when there is anything else."""
        return orjson.loads(self.out)


def command(*arguments: str, **environment: str) -> Finished:
    """Run `marketing-platform` with these arguments and MARKETING_… variables, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    code = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr("sys.argv", ["marketing-platform", *arguments])
        for name, value in environment.items():
            patch.setenv(f"MARKETING_{name.upper()}", value)
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Finished(code, *(_written(stream) for stream in (out, err)))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@dataclass(frozen=True)
class Installation:
    """Files land in `settings.landing_dir`; everything else is asked of ledger, shelf and stores."""

    settings: Settings

    def land(self, name: str, content: bytes | str, *, minutes_ago: float = 5) -> Path:
        """Put a file into the landing zone, replacing one of that name."""
        path = self.settings.landing_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        moment = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).timestamp()
        os.utime(path, (moment, moment))
        return path

    def run(self) -> dict[str, Any]:
        """What `marketing-platform run --json` prints."""
        return run_pipeline(self.settings, quiet=True)

    def command(self, *arguments: str) -> Finished:
        """Run a command of the command line on this installation."""
        given = self.settings.model_dump(include={"data_dir", "input_dir", "sources_dir"}, exclude_none=True)
        return command(*arguments, **{name: str(path) for name, path in given.items()})

    @property
    def ledger(self) -> Ledger:
        return open_records(self.settings).ledger

    @property
    def shelf(self) -> ReleaseShelf:
        return open_records(self.settings).shelf

    def release(self) -> Manifest:
        """The release that serves."""
        current = self.shelf.current()
        assert current is not None, "nothing was released"
        return self.shelf.load(current)

    def batch(self, name: str) -> Batch:
        """The newest batch of the object `name`."""
        (found,) = (batch for batch in self.ledger.current() if batch.object == name)
        return found

    def query(self, sql: str, *, release: Manifest | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query over the tables of a release, by default the one that serves."""
        manifest = release or self.release()
        warehouse = open_stores(self.settings).warehouse
        refs = [
            TableRef(name, entry.parts, warehouse.open(entry.parts[0]).ref.schema)
            for name, entry in manifest.tables.items()
            if entry.parts
        ]
        found = warehouse.query(Select(sql, refs))
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def quarantine(self, batch_id: str) -> list[dict[str, Any]]:
        """The refused records of a batch: ordinal, document and reasons."""
        return [
            {
                "ordinal": row["ordinal"],
                "document": orjson.loads(row["document"]),
                "reasons": orjson.loads(row["reasons"]),
            }
            for chunk in open_stores(self.settings).documents.read_quarantine(batch_id)
            for row in chunk.to_pylist()
        ]

    def raw(self, batch_id: str) -> Iterator[tuple[int, str]]:
        """The raw records of a batch: ordinal and JSON document."""
        for chunk in open_stores(self.settings).documents.read_raw(batch_id, chunk_rows=50_000):
            yield from zip(chunk["ordinal"].to_pylist(), chunk["document"].to_pylist(), strict=True)

    def raw_rows(self, batch_id: str) -> int:
        """How many raw records of a batch are kept."""
        return sum(1 for _ in self.raw(batch_id))

    def answers(self, *paths: str) -> list[Any]:
        """What the API answers now."""
        with self.api() as client:
            return [client.get(path).json() for path in paths]

    def content(self) -> Mapping[str, object]:
        """What the release that serves consists of, without names that differ from run to run."""
        manifest = self.release()
        return {
            "tables": {name: (entry.rows, entry.fingerprint) for name, entry in manifest.tables.items()},
            "vectors": {name: entry.rows for name, entry in manifest.vectors.items()},
            "graphs": {name: (entry.nodes, entry.relations) for name, entry in manifest.graphs.items()},
            "answers": {name: entry.rows for name, entry in manifest.answers.items()},
            "batches": {batch.batch_id: batch.decision for batch in manifest.batches},
            "totals": manifest.totals,
        }

    @contextmanager
    def api(self) -> Generator[TestClient]:
        """The API on this installation, without the live path."""
        with client_of(self.settings, create_app(self.settings, poll_seconds=0.05)) as client:
            yield client
