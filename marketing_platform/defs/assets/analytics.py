"""Aggregates, one asset per declaration in `analytics/aggregates/`, and the report about them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from marketing_platform.analytics import Aggregate, aggregates
from marketing_platform.analytics.kpis import Ask, load_registry
from marketing_platform.analytics.kpis.reading import asking_tables
from marketing_platform.analytics.questions.golden import (
    Judgement,
    judge_golden,
    load_golden,
    right_share,
)
from marketing_platform.analytics.report import build_report
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import reusable
from marketing_platform.defs.metadata import bars, line
from marketing_platform.defs.pools import stored_in
from marketing_platform.releases.version import declared_version
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

GROUP = "analytics"

# `@report_asset()`: a document of the release that people and programs read.
report_asset = partial(
    dg.asset,
    group_name=GROUP,
    io_manager_key="report_io",
    kinds={"json"},
    owners=["team:analytics"],
    tags={"layer": "report"},
    automation_condition=follow_upstream(),
)


def aggregate_assets() -> list[dg.AssetsDefinition]:
    """One asset per aggregate."""
    return [_aggregate(declared) for declared in aggregates().values()]


def _aggregate(declared: Aggregate) -> dg.AssetsDefinition:
    @dg.asset(
        name=declared.name,
        description=declared.description,
        group_name=GROUP,
        ins={name: dg.AssetIn() for name in declared.reads},
        **stored_in("warehouse"),
        kinds={"duckdb", "parquet", "sql"},
        owners=["team:analytics"],
        tags={"layer": "aggregate"},
        automation_condition=follow_upstream(),
        metadata={"sql": dg.MetadataValue.md(f"```sql\n{declared.sql}\n```")},
    )
    def aggregate(settings: dg.ResourceParam[Settings], **upstream: StoredTable) -> Select:
        time_zone = load_registry(settings.kpis_dir).workspace.time_zone
        return Select(declared.query_in(time_zone), [stored.ref for stored in upstream.values()])

    return aggregate


@report_asset()
def analytics_report(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    admitted_batches: StoredTable,
    user_engagement: StoredTable,
    campaign_performance: StoredTable,
    daily_activity: StoredTable,
    purchases: StoredTable,
    kpi_daily: StoredTable,
    buyer_days: StoredTable,
    kpi_coverage: StoredTable,
) -> Any:  # a document
    """What a marketer wants to know first about this data, as a file to read."""
    if (before := reusable(context, kpis=declared_version(settings.kpis_dir))) is not None:
        return before
    tables = (admitted_batches, user_engagement, campaign_performance, daily_activity, purchases, kpi_daily)
    refs = [stored.ref for stored in tables]
    report = build_report(lambda sql: stores.warehouse.query(Select(sql, refs)).to_pylist())
    judged = _golden(settings, stores, (kpi_daily, buyer_days, kpi_coverage))
    top = report["campaigns"]["most_engaging"]
    days = report["activity"]["by_day"]
    context.add_output_metadata(
        {
            "events_per_day": line(
                "Events per day", [day["date"] for day in days], [day["events"] for day in days]
            ),
            "most_engaging_campaigns": bars(
                "Engagement by campaign",
                [campaign["name"] or campaign["campaign_id"] for campaign in top],
                [campaign["engagement_score"] for campaign in top],
            ),
            "golden_right": right_share(judged),
            "golden_questions": dg.MetadataValue.md(_as_table(judged)),
        }
    )
    return report


def _golden(settings: Settings, stores: Stores, tables: Sequence[StoredTable]) -> tuple[Judgement, ...]:
    """Whether the golden questions still hold; the check `golden_questions` judges the share."""
    run = asking(stores, tables)
    return judge_golden(load_golden(settings.kpis_dir), load_registry(settings.kpis_dir), run)


def asking(stores: Stores, tables: Sequence[StoredTable]) -> Ask:
    """A way to ask these tables for KPIs."""
    return asking_tables({stored.ref.name: stored.ref for stored in tables}, stores.warehouse)


def _as_table(judged: Sequence[Judgement]) -> str:
    rows = [
        f"| {'yes' if one.right else '**no**'} | {one.question} | {one.expected} | {one.observed} |"
        for one in sorted(judged, key=lambda one: one.right)
    ]
    return "\n".join(["| holds | question | expected | observed |", "|---|---|---|---|", *rows])
