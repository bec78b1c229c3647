"""Who belongs to which declared segment, and how many: a table and a report of the release."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from marketing_platform.content.segments import Segment, load_segments
from marketing_platform.content.segments.queries import MEMBERS, Query, counts_sql, segments_query
from marketing_platform.content.segments.report import SEGMENTS, report_of
from marketing_platform.content.segments.spec import READS
from marketing_platform.defs.assets.content import GROUP
from marketing_platform.defs.conditions import follow_upstream
from marketing_platform.defs.io_managers import latest_metadata, reusable
from marketing_platform.defs.metadata import markdown_table
from marketing_platform.defs.pools import stored_in
from marketing_platform.features.loading import load_features
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.version import declared_version
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores

_OWNERS = ["team:marketing"]


@dg.asset(
    name=SEGMENTS,
    group_name=GROUP,
    ins={name: dg.AssetIn() for name in READS},
    io_manager_key="report_io",
    kinds={"json", "sql"},
    owners=_OWNERS,
    tags={"layer": "report"},
    automation_condition=follow_upstream(),
)
def segments_report(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    shelf: dg.ResourceParam[ReleaseShelf],
    **tables: StoredTable,
) -> Any:  # a document
    """Which segments there are, how many users each has, and how many of them agreed to marketing."""
    declared, asked = _asked(context, settings)
    served = _served(stores, shelf)
    given = {"segments": declared_version(settings.segments_dir), "as_of": asked.parameters, "served": served}
    if (before := reusable(context, sql=counts_sql(asked), **given)) is not None:
        return before
    refs = [stored.ref for stored in tables.values()]
    counted = stores.warehouse.query(Select(counts_sql(asked), refs, asked.parameters)).to_pylist()
    report = report_of(declared, counted, before=served)
    shown = [(one["segment"], one["users"], one["consenting"], one["before"]) for one in report[SEGMENTS]]
    emptied = [row for row in shown if not row[1] and row[3]]
    columns = ["segment", "users", "agreed to marketing", "users in the release that serves"]
    context.add_output_metadata(
        {
            "counts": markdown_table(columns, shown),
            "emptied": len(emptied),
            "emptied_segments": markdown_table(columns, emptied),
        }
    )
    return report


# After the report, so that what is said of the counts is said before there can be a release.
@dg.asset(
    name=MEMBERS,
    description="The users of every declared segment, at the end of the data.",
    group_name=GROUP,
    ins={name: dg.AssetIn() for name in READS},
    deps=[SEGMENTS],
    **stored_in("warehouse"),
    kinds={"duckdb", "parquet", "sql"},
    owners=_OWNERS,
    tags={"layer": "content"},
    automation_condition=follow_upstream(),
)
def segment_members(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], **tables: StoredTable
) -> Select:
    """Rows of `segment` and `user_id`."""
    _, asked = _asked(context, settings)
    refs = [stored.ref for stored in tables.values()]
    return Select(f"{asked.sql} ORDER BY segment, user_id", refs, asked.parameters)


def _asked(context: dg.AssetExecutionContext, settings: Settings) -> tuple[dict[str, Segment], Query]:
    """The declared segments, and the query for all of their members."""
    features = load_features(settings.features_dir)["user"]
    segments = load_segments(settings.segments_dir, features=features)
    at = datetime.fromisoformat(str(latest_metadata(context.instance, "user_features")["as_of"].value))
    context.add_output_metadata({"segments": len(segments), "as_of": at.isoformat()})
    return segments, segments_query(tuple(segments.values()), features, at)


def _served(stores: Stores, shelf: ReleaseShelf) -> Mapping[str, int]:
    """How many users each segment has in the release that serves, if it knows of segments."""
    current = shelf.current()
    reports = shelf.load(current).reports if current is not None else {}
    if SEGMENTS not in reports:
        return {}
    return {one["segment"]: one["users"] for one in stores.reports.read(reports[SEGMENTS].name)[SEGMENTS]}
