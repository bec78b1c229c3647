"""Asking the tables of a release that stand in a warehouse; the API has readers of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marketing_platform.analytics.aggregates import aggregate
from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.errors import KpiError
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.protocols import Select, TableRef, Warehouse


def asks_release(manifest: Manifest, warehouse: Warehouse) -> Ask:
    """Runs queries over tables of a release; KpiError when it is older than KPIs."""

    def ref(name: str) -> TableRef:
        if name not in manifest.tables:
            raise KpiError(f"{manifest.release_id} is older than KPIs; publish a new release")
        return TableRef(name, manifest.tables[name].parts, aggregate(name).arrow_schema)

    return asks_tables(ref, warehouse)


def asks_tables(ref: Callable[[str], TableRef], warehouse: Warehouse) -> Ask:
    """Runs queries over tables that `ref` finds by name."""

    def ask(sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return warehouse.query(Select(sql, [ref(name) for name in tables], parameters)).to_pylist()

    return ask
