"""Whom values are asked of: the tables of a release, or those that are to become one; and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from marketing_platform.catalog import tables
from marketing_platform.errors import UnknownName
from marketing_platform.features.queries import TIMED, last_moment_sql
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.protocols import Select, TableRef, Warehouse

# The rows of a query over these logical tables, with these parameters.
Ask = Callable[[str, Sequence[str], Mapping[str, Any]], pa.Table]

_NO_DATA = datetime(1970, 1, 1, tzinfo=UTC)


def ask_tables(warehouse: Warehouse, refs: Mapping[str, TableRef]) -> Ask:
    """Questions to these tables."""

    def ask(sql: str, names: Sequence[str], parameters: Mapping[str, Any]) -> pa.Table:
        return warehouse.query(Select(sql, [refs[name] for name in names], parameters))

    return ask


def ask_release(warehouse: Warehouse, manifest: Manifest) -> Ask:
    """Questions to the tables of a release; UnknownName for a table that it was made without."""

    def ask(sql: str, names: Sequence[str], parameters: Mapping[str, Any]) -> pa.Table:
        return warehouse.query(Select(sql, [_ref(warehouse, manifest, name) for name in names], parameters))

    return ask


def end_of_data(ask: Ask) -> datetime:
    """The moment that stands for now: the first full second after everything that happened.

    From the data and not from a clock, so that a release made again has the same values. Without any data
    1970.
    """
    found = (ask(last_moment_sql(name), [name], {})["last"][0].as_py() for name in TIMED)
    last = max((moment for moment in found if moment is not None), default=None)
    return _NO_DATA if last is None else last.replace(microsecond=0) + timedelta(seconds=1)


def _ref(warehouse: Warehouse, manifest: Manifest, name: str) -> TableRef:
    entry = manifest.tables.get(name)
    if entry is None:
        raise UnknownName(
            f"{manifest.release_id} was made without the table {name!r}, which features are computed from;"
            " publish a new release"
        )
    if name in tables():
        return TableRef(name, entry.parts, tables()[name].arrow_schema)
    return warehouse.open(entry.parts[0]).ref
