"""Interactions, candidates and features from plain CSV files, for `marketing-platform evaluate`.

Files of an installation's own data go through declared sources; these are for comparing recommenders
on anybody's data. Ids are text as they stand in the file.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from marketing_platform.errors import InputError

_TAGS = r"\s*[|;,]\s*"


@dataclass(frozen=True)
class InteractionFile:
    """The columns of a file, one entry per row."""

    users: list[str]
    items: list[str]
    values: np.ndarray | None
    seconds: np.ndarray | None  # Unix time


@dataclass(frozen=True)
class FeatureFile:
    """What items are like: a text or a list of tags each."""

    items: list[str]
    texts: list[str] | None
    tags: list[list[str]] | None


def read_interactions(path: Path) -> InteractionFile:
    """A CSV file with user_id, item_id and, if it has them, value (1 unless given) and timestamp.

    A timestamp is a number of seconds since 1970 or ISO 8601. InputError names the file, row and field.
    """
    table = _read(path, needed=("user_id", "item_id"), known=("value", "timestamp"))
    return InteractionFile(
        users=_filled(path, table, "user_id"),
        items=_filled(path, table, "item_id"),
        values=_numbers(path, table, "value") if "value" in table.column_names else None,
        seconds=_moments(path, table) if "timestamp" in table.column_names else None,
    )


def read_features(path: Path) -> FeatureFile:
    """A CSV file with item_id and text or tags (parted by | ; or comma)."""
    table = _read(path, needed=("item_id",), known=("text", "tags"))
    kinds = [name for name in ("text", "tags") if name in table.column_names]
    if len(kinds) != 1:
        raise InputError(f"{path}: has to have either a column text or a column tags")
    cells: list[str] = table[kinds[0]].to_pylist()
    items = _filled(path, table, "item_id")
    if kinds == ["text"]:
        return FeatureFile(items, cells, None)
    tags = pc.split_pattern_regex(pc.utf8_trim_whitespace(table["tags"]), _TAGS).to_pylist()
    return FeatureFile(items, None, [[tag for tag in of_item if tag] for of_item in tags])


def _read(path: Path, *, needed: Sequence[str], known: Sequence[str]) -> pa.Table:
    options = csv.ConvertOptions(
        column_types={name: pa.string() for name in (*needed, *known)},
        strings_can_be_null=False,
    )
    try:
        table = csv.read_csv(
            path, convert_options=options, parse_options=csv.ParseOptions(newlines_in_values=True)
        )
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        found = ", ".join(table.column_names)
        raise InputError(f"{path}: has no column {', '.join(missing)}; its first line names {found}")
    read = [name for name in (*needed, *known) if name in table.column_names]
    twice = [name for name in read if table.column_names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: its first line names {twice[0]} more than once")
    return table.select(read)


def _filled(path: Path, table: pa.Table, column: str) -> list[str]:
    cells: list[str] = table[column].to_pylist()
    if "" in cells:
        raise InputError(f"{path}, row {cells.index('') + 1}: {column} is empty")
    return cells


def _numbers(path: Path, table: pa.Table, column: str) -> np.ndarray:
    cells: list[str] = table[column].to_pylist()
    try:
        found = np.asarray(cells, np.float64)
    except ValueError:
        bad = next(row for row, cell in enumerate(cells) if not _is_number(cell))
        raise InputError(f"{path}, row {bad + 1}: {column} is {cells[bad]!r}, not a number") from None
    bad_rows = np.flatnonzero(~np.isfinite(found))
    if len(bad_rows):
        raise InputError(f"{path}, row {bad_rows[0] + 1}: {column} is not finite")
    return found


def _moments(path: Path, table: pa.Table) -> np.ndarray:
    cells: list[str] = table["timestamp"].to_pylist()
    if cells and _is_number(cells[0]):
        return _numbers(path, table, "timestamp")
    try:
        return np.asarray(cells, "datetime64[us]").astype(np.int64) / 1e6
    except ValueError:
        bad = next(row for row, cell in enumerate(cells) if not _is_moment(cell))
        raise InputError(
            f"{path}, row {bad + 1}: timestamp is {cells[bad]!r};"
            " give seconds since 1970 or ISO 8601 without a zone"
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_moment(cell: str) -> bool:
    try:
        return bool(np.isfinite(np.datetime64(cell, "us").astype(np.int64))) and cell != ""
    except ValueError:
        return False
