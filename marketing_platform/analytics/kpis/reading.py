"""The KPIs of one release: its tables as the engine asks them, and its reports of what was found in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marketing_platform.analytics.aggregates import aggregate
from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.analytics.kpis.compiling import COVERAGE
from marketing_platform.errors import KpiError
from marketing_platform.releases.manifest import Manifest
from marketing_platform.stores.protocols import Select, TableRef, Warehouse

# Reports: what `anomalies.py` and `forecasts.py` made of the figures.
ANOMALIES, FORECASTS = "kpi_anomalies", "kpi_forecasts"
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
    return asking_tables(
        {
            name: TableRef(name, manifest.tables[name].parts, aggregate(name).arrow_schema)
            for name in KPI_TABLES
        },
        warehouse,
    )


def asking_tables(refs: Mapping[str, TableRef], warehouse: Warehouse) -> Ask:
    """A way to ask KPI tables that are in no release yet."""

    def ask(sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return warehouse.query(Select(sql, [refs[name] for name in tables], parameters)).to_pylist()

    return ask


def about(report: Mapping[str, Any], kpis: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """What one of the reports says of these KPIs; of all of them when none is named."""
    return {part: [row for row in rows if not kpis or row["kpi"] in kpis] for part, rows in report.items()}
