"""Pairs of a CSV file, and the training set that is made of them as a Parquet file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from marketing_platform.errors import InputError
from marketing_platform.features.spec import Features
from marketing_platform.features.training import AT


def read_pairs(path: Path, features: Features) -> pa.Table:
    """The rows of a CSV file with the key of the entity and `at` (ISO 8601, UTC unless it names a zone).

    Other columns keep what stands in them. InputError names the file, row and field.
    """
    options = csv.ConvertOptions(column_types={features.key: pa.string(), AT: pa.string()})
    parsing = csv.ParseOptions(newlines_in_values=True)
    try:
        table = csv.read_csv(path, convert_options=options, parse_options=parsing)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    missing = [name for name in (features.key, AT) if name not in table.column_names]
    if missing:
        found = ", ".join(table.column_names)
        raise InputError(f"{path}: has no column {' and no '.join(missing)}; its first line names {found}")
    if len(set(table.column_names)) < table.num_columns:
        raise InputError(f"{path}: its first line names a column twice")
    moments = [_moment(path, row, cell) for row, cell in enumerate(table[AT].to_pylist(), start=1)]
    place = table.column_names.index(AT)
    return table.set_column(place, AT, pa.array(moments, pa.timestamp("us", tz="UTC")))


def write_training_set(path: Path, table: pa.Table, about: dict[str, str]) -> None:
    """Store a training set as Parquet, with what it is `about` in the file's metadata; replaces the file."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        pq.write_table(table.replace_schema_metadata(about), unfinished)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _moment(path: Path, row: int, cell: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise InputError(
            f"{path}, row {row}: {AT} is {cell!r}; give a moment such as 2026-11-20T18:00:00Z"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
