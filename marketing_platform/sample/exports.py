"""Fields laid out as files: separated text, NDJSON, a JSON array, Parquet. What is in them is not known here.

A file appears under its name only when it is complete, so that a sensor never sees half of it.
"""

from __future__ import annotations

import gzip
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from marketing_platform.sample.flaws import EVERY, Columns, Flaw, plant
from marketing_platform.sample.texts import Texts, compute, joined


@dataclass(frozen=True)
class FileSummary:
    """One written file; `dirty` counts planted errors by the reason quarantine gives."""

    path: str
    rows: int
    dirty: Mapping[str, int]


class Layout(Protocol):
    """How rows become text."""

    @property
    def encoding(self) -> str:
        """The file's encoding."""
        ...

    def head(self) -> str:
        """What stands before the first row."""
        ...

    def rows(self, columns: Columns) -> Texts:
        """Each row with its line end."""
        ...


@dataclass(frozen=True)
class Separated:
    """CSV and its relatives; `fields` are (header, column) pairs; columns come quoted already."""

    fields: Sequence[tuple[str, str]]
    delimiter: str = ","
    encoding: str = "utf-8"
    byte_order_mark: bool = False

    def head(self) -> str:
        """The line of headers."""
        mark = "\ufeff" if self.byte_order_mark else ""
        return mark + self.delimiter.join(header for header, _ in self.fields) + "\n"

    def rows(self, columns: Columns) -> Texts:
        """One line per row."""
        parts: list[Texts | str] = []
        for _, column in self.fields:
            parts += [columns[column], self.delimiter]
        return joined(*parts[:-1], "\n")


@dataclass(frozen=True)
class JsonLines:
    """NDJSON; in `template` each `<column>` is replaced by a text that is JSON already."""

    template: str
    encoding: str = "utf-8"

    def head(self) -> str:
        """Nothing."""
        return ""

    def rows(self, columns: Columns) -> Texts:
        """One object per line."""
        parts: list[Texts | str] = []
        for piece in self.template.split("<"):
            name, end, rest = piece.partition(">")
            parts += [columns[name], rest] if end else [piece]
        return joined(*parts, "\n")


class Export:
    """One text file being written, chunk by chunk; each `every`-th row gets one of the `flaws`."""

    def __init__(
        self, root: Path, name: str, layout: Layout, flaws: Sequence[Flaw] = (), every: int = EVERY
    ) -> None:
        self._path, self._name = root / name, name
        self._layout, self._flaws, self._every = layout, flaws, every
        self._rows = 0
        self._dirty: Counter[str] = Counter()

    def __enter__(self) -> Export:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._raw = _unfinished(self._path).open("wb")
        # No file name and no time in the gzip header, or equal samples would differ in bytes.
        self._sink: BinaryIO | gzip.GzipFile = self._raw
        if self._name.endswith(".gz"):
            self._sink = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0, compresslevel=6)
        self._sink.write(self._layout.head().encode(self._layout.encoding))
        return self

    def add(self, columns: Columns) -> None:
        """Append rows; all columns have one length."""
        spoiled, planted = plant(
            columns, self._flaws, file=self._name, first_row=self._rows, every=self._every
        )
        rows = self._layout.rows(spoiled)
        # The texts of an Arrow array lie behind each other: its buffer is the file's content.
        content = memoryview(rows.buffers()[2] or b"")
        if self._layout.encoding == "utf-8":
            self._sink.write(content)
        else:
            self._sink.write(bytes(content).decode("utf-8").encode(self._layout.encoding))
        self._rows += len(rows)
        self._dirty += planted

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sink is not self._raw:
            self._sink.close()
        self._raw.close()
        if error is None:
            _unfinished(self._path).replace(self._path)
        else:
            _unfinished(self._path).unlink()

    @property
    def summary(self) -> FileSummary:
        """What has been written so far."""
        return FileSummary(self._name, self._rows, dict(sorted(self._dirty.items())))


def write_text(
    root: Path, name: str, layout: Layout, columns: Columns, flaws: Sequence[Flaw] = ()
) -> FileSummary:
    """A small file in one go."""
    with Export(root, name, layout, flaws) as export:
        export.add(columns)
    return export.summary


def write_json_array(root: Path, name: str, layout: JsonLines, columns: Columns) -> FileSummary:
    """A small file that is one JSON array."""
    rows = layout.rows(columns).to_pylist()
    content = "[\n  " + ",\n  ".join(row.rstrip("\n") for row in rows) + "\n]\n"
    _put(root / name, content.encode(layout.encoding))
    return FileSummary(name, len(rows), {})


def write_parquet(
    root: Path,
    name: str,
    fields: Mapping[str, tuple[str, Any]],
    columns: Columns,
    flaws: Sequence[Flaw] = (),
) -> FileSummary:
    """A small Parquet file; `fields` maps its columns to (column, pyarrow type), an empty text is null."""
    spoiled, planted = plant(columns, flaws, file=name, first_row=0)
    table = pa.table(
        {header: _or_null(spoiled[column]).cast(kind) for header, (column, kind) in fields.items()}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="snappy")
    _put(root / name, buffer.getvalue())
    return FileSummary(name, table.num_rows, dict(sorted(planted.items())))


def _or_null(texts: Texts) -> Texts:
    return compute.if_else(compute.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _unfinished(path).write_bytes(content)
    _unfinished(path).replace(path)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")
