"""The warehouse on one machine: immutable Parquet parts, queried by DuckDB.

A DuckDB file admits one writing process and then no reader; Parquet parts that are never
changed let any number of processes read while a run writes the next version
(docs/decisions/0003-parquet-parts.md). A part is complete when its description `<part>.json`
stands; what a killed process left without one is invisible and overwritten by the retry.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from marketing_platform.errors import UnknownName
from marketing_platform.stores.arrow_bytes import schema_bytes, schema_from
from marketing_platform.stores.protocols import PartWriter, Select, StoredTable, TableRef

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]

_ROW_GROUP = 122_880
_LOOKED_AT = 10_000  # rows that tell which columns repeat themselves


def cursors_of(opened: Callable[[], duckdb.DuckDBPyConnection]) -> Connect:
    """A way to connect that hands out cursors of one database, opened when first asked for.

    Opening one costs 10 to 40 ms, a cursor next to nothing. The database holds no data, only each cursor's
    temporary views of parts.
    """
    database = cache(opened)

    @contextmanager
    def connect() -> Generator[duckdb.DuckDBPyConnection]:
        with closing(database().cursor()) as cursor:
            yield cursor

    return connect


def sharing(*statements: str, **config: str | bool | int | float | list[str]) -> Connect:
    """Cursors of one database; `statements` set what `config` cannot: settings of extensions."""

    def opened() -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:", config=config)
        for statement in statements:
            connection.execute(statement)
        return connection

    return cursors_of(opened)


in_memory = sharing(enable_external_file_cache=False)  # memory goes back when a query ends


class _ParquetPartWriter:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._file: pq.ParquetWriter | None = None
        self.finished: StoredTable | None = None

    def add(self, rows: pa.Table) -> None:
        if rows.num_rows:
            rows = rows.cast(self._schema)
            file = self._file = self._file or self._opened(rows)
            file.write_table(rows, row_group_size=_ROW_GROUP)

    def _opened(self, first: pa.Table) -> pq.ParquetWriter:
        repeating: Any = _repeating(first)  # pyarrow's own declaration knows no lists
        return pq.ParquetWriter(self._path, self._schema, compression="zstd", use_dictionary=repeating)

    @property
    def stored(self) -> StoredTable:
        if self.finished is None:
            raise RuntimeError("the part is stored when the writer's block has ended")
        return self.finished

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        (self._file or self._opened(self._schema.empty_table())).close()


class DuckDBWarehouse:
    """Implements `Warehouse` below one folder."""

    def __init__(self, root: Path, connect: Connect = in_memory) -> None:
        self._root = root
        self._connect = connect

    @contextmanager
    def writer(self, part: str, schema: pa.Schema) -> Generator[PartWriter]:
        """Stream chunks into one Parquet file."""
        with self._unfinished(part) as path:
            writer = _ParquetPartWriter(path, schema)
            with writer:
                yield writer
            writer.finished = self._finish(part, path)

    def create(self, part: str, select: Select) -> StoredTable:
        """Let DuckDB write the result of a query into one Parquet file."""
        with self._unfinished(part) as path, self._bound(select) as connection:
            connection.execute(
                f"COPY ({select.sql}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)",
                dict(select.parameters),
            )
            return self._finish(part, path)

    def combine(self, part: str, parts: Sequence[str], schema: pa.Schema) -> StoredTable:
        """Describe the union of stored parts; fingerprints add up because they ignore order."""
        pieces = [self.open(piece) for piece in parts]
        leaves = tuple(leaf for piece in pieces for leaf in piece.ref.parts)
        stored = StoredTable(
            ref=TableRef(_logical(part), leaves, schema),
            rows=sum(piece.rows for piece in pieces),
            fingerprint=_add(piece.fingerprint for piece in pieces),
        )
        self._describe(part, stored)
        return stored

    def open(self, part: str) -> StoredTable:
        """Read a part's description."""
        try:
            content = self._description(part).read_bytes()
        except FileNotFoundError:
            raise UnknownName(f"the warehouse has no part {part!r}") from None
        described = orjson.loads(content)
        return StoredTable(
            ref=TableRef(
                _logical(part), tuple(described["parts"]), schema_from(bytes.fromhex(described["schema"]))
            ),
            rows=described["rows"],
            fingerprint=described["fingerprint"],
        )

    def query(self, select: Select) -> pa.Table:
        """Run a query and return its rows."""
        with self._bound(select) as connection:
            return connection.sql(select.sql, params=dict(select.parameters)).to_arrow_table()

    def batches(self, select: Select, *, chunk_rows: int) -> Iterator[pa.Table]:
        """Run a query and stream its rows."""
        with self._bound(select) as connection:
            relation = connection.sql(select.sql, params=dict(select.parameters))
            for batch in relation.to_arrow_reader(chunk_rows):
                yield pa.Table.from_batches([batch])

    def names(self) -> list[str]:
        """Every complete part."""
        return sorted(path.stem for path in self._root.glob("*/*.json") if not path.name.startswith("."))

    def files(self, table: TableRef) -> list[Path]:
        """The files of a table's parts, for engines other than DuckDB."""
        return [self._file(part).resolve() for part in table.parts]

    def drop(self, part: str) -> None:
        """Remove a part; its description first, so that nobody finds half of it."""
        self._description(part).unlink(missing_ok=True)
        self._file(part).unlink(missing_ok=True)

    def _file(self, part: str) -> Path:
        return self._root / _logical(part) / f"{part}.parquet"

    def _description(self, part: str) -> Path:
        return self._root / _logical(part) / f"{part}.json"

    @contextmanager
    def _unfinished(self, part: str) -> Generator[Path]:
        folder = self._file(part).parent
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".{uuid.uuid4().hex}.parquet"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _finish(self, part: str, path: Path) -> StoredTable:
        with self._connect() as connection:
            rows, fingerprint = _fingerprint(connection, path)
        schema = pq.read_schema(path).remove_metadata()
        _sync(path)
        path.replace(self._file(part))
        stored = StoredTable(TableRef(_logical(part), (part,), schema), rows, fingerprint)
        self._describe(part, stored)
        return stored

    def _describe(self, part: str, stored: StoredTable) -> None:
        path = self._description(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{uuid.uuid4().hex}.json")
        unfinished.write_bytes(
            orjson.dumps(
                {
                    "rows": stored.rows,
                    "fingerprint": stored.fingerprint,
                    "schema": schema_bytes(stored.ref.schema).hex(),
                    "parts": stored.ref.parts,
                }
            )
        )
        _sync(unfinished)
        unfinished.replace(path)

    @contextmanager
    def _bound(self, select: Select) -> Generator[duckdb.DuckDBPyConnection]:
        """A connection in which every table of the query is a view over its parts."""
        with self._connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for table in select.tables:
                self._bind(connection, table)
            yield connection

    def _bind(self, connection: duckdb.DuckDBPyConnection, table: TableRef) -> None:
        if not table.parts:
            connection.register(table.name, table.schema.empty_table())
            return
        files = ", ".join(_quoted(self._file(part)) for part in table.parts)
        # Parts of older versions may lack a column that was added since; it is null there.
        connection.execute(
            f'CREATE TEMP VIEW "{table.name}" AS'  # noqa: S608 -- our own names and paths
            f" SELECT * FROM read_parquet([{files}], union_by_name = true)"
        )


def _logical(part: str) -> str:
    return part.rpartition("__")[0] or part


def _repeating(rows: pa.Table) -> list[str]:
    """Columns whose values repeat; for others a dictionary costs time and bytes, and is given up later."""
    seen = rows.slice(0, _LOOKED_AT)
    flat = [field.name for field in rows.schema if not pa.types.is_nested(field.type)]
    return [name for name in flat if 2 * len(seen[name].unique()) <= seen.num_rows]


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _sync(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _fingerprint(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[int, str]:
    """Rows and the sum of a 64-bit hash per row, so that neither order nor splitting matters."""
    source = f"read_parquet({_quoted(path)})"
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]  # noqa: S608
    row = ", ".join(f'"{column}"' for column in columns)
    count, total = connection.execute(
        f"SELECT count(*), coalesce(sum(hash({row})), 0) FROM {source}"  # noqa: S608
    ).fetchall()[0]
    return int(count), _hex(int(total))


def _hex(total: int) -> str:
    return f"{total % (1 << 64):016x}"


def _add(fingerprints: Iterable[str]) -> str:
    return _hex(sum(int(fingerprint, 16) for fingerprint in fingerprints))
