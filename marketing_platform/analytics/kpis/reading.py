"""The KPI tables of one release, as the engine asks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marketing_platform.analytics.aggregates import aggregate
from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.analytics.kpis.compiling import COVERAGE
from marketing_platform.errors import KpiError
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.protocols import Select, TableRef, Warehouse

KPI_TABLES = ("kpi_daily", "buyer_days", COVERAGE)


def has_kpis(manifest: Manifest) -> bool:
    """Whether the release holds figures for KPIs; those made before there were any do not."""
    return all(name in manifest.tables for name in KPI_TABLES)


def asking(manifest: Manifest, warehouse: Warehouse) -> Ask:
    """A way to ask the KPI tables of a release; KpiError when it has none."""
    if not has_kpis(manifest):
        raise KpiError(
            f"{manifest.release_id} was made before there were KPIs; `marketing-platform run` makes the next"
        )
    refs = {
        name: TableRef(name, manifest.tables[name].parts, aggregate(name).arrow_schema) for name in KPI_TABLES
    }

    def ask(sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return warehouse.query(Select(sql, [refs[name] for name in tables], parameters)).to_pylist()

    return ask
