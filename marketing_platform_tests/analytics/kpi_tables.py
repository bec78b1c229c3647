"""Tables of KPIs made from a few canonical rows, by the aggregates that a release uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from marketing_platform.analytics import aggregate
from marketing_platform.analytics.kpis.answering import Ask
from marketing_platform.stores.protocols import Select
from marketing_platform_tests.tables import rows_of, stored

MADE = ("kpi_daily", "buyer_days", "kpi_coverage")


def asking(
    folder: Path,
    *,
    ads: Sequence[Mapping[str, Any]] = (),
    purchases: Sequence[Mapping[str, Any]] = (),
    events: Sequence[Mapping[str, Any]] = (),
    source: str = "exports",
    time_zone: str = "UTC",
) -> Ask:
    """A way to ask tables that hold these rows, all of one batch of `source`; days are of the time zone."""
    given = {
        "ad_spend": rows_of("ad_spend", ads),
        "purchases": rows_of("purchases", purchases),
        "events": rows_of("events", events),
    }
    return asking_tables(folder, given, {"a.csv@0123456789ab": source}, time_zone)


def asking_tables(
    folder: Path, tables: Mapping[str, pa.Table], sources: Mapping[str, str], time_zone: str = "UTC"
) -> Ask:
    """The same for canonical tables; `sources` says which source each of their batches came from."""
    batches = pa.table({"batch_id": list(sources), "source": list(sources.values())})
    empty = {name: rows_of(name, []) for name in ("ad_spend", "purchases", "events")}
    warehouse, refs = stored(folder, {**empty, **tables, "admitted_batches": batches})
    for name in MADE:
        declared = aggregate(name)
        reads = [refs[read] for read in declared.reads]
        refs[name] = warehouse.create(f"{name}__1", Select(declared.query_in(time_zone), reads)).ref

    def ask(sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return warehouse.query(Select(sql, [refs[name] for name in tables], parameters)).to_pylist()

    return ask
