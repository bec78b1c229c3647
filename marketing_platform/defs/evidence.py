"""What the event log, the ledger and the stores say about the candidate that is to be released."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from marketing_platform.analytics.enrichment import ENRICHED_EVENTS
from marketing_platform.defs.assets.product_lists import TRENDING
from marketing_platform.defs.io_managers import latest_name, latest_sets
from marketing_platform.encoders.messages import WORDLESS
from marketing_platform.releases.ledger import Batch
from marketing_platform.releases.verification import Count, Judged, Materialized, Rows
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform.stores.registry import Stores

_POINTER = "dagster/input_event_pointer/"


def materialized(instance: dg.DagsterInstance, assets: Iterable[str]) -> dict[str, Materialized]:
    """The latest materialization of each asset that has one, and which inputs it read."""
    found: dict[str, Materialized] = {}
    for asset in assets:
        records = instance.fetch_materializations(dg.AssetKey(asset), limit=1).records
        if records:
            tags = (records[0].asset_materialization or dg.AssetMaterialization(asset)).tags or {}
            consumed = {
                key.removeprefix(_POINTER): int(value)
                for key, value in tags.items()
                if key.startswith(_POINTER) and value.isdigit()
            }
            found[asset] = Materialized(asset, records[0].storage_id, consumed)
    return found


def judged(
    instance: dg.DagsterInstance, checks: Iterable[tuple[str, str]], *, blocking: frozenset[tuple[str, str]]
) -> dict[tuple[str, str], Judged]:
    """The latest execution of each check that ever ran, and which materialization it judged."""
    keys = {check: dg.AssetCheckKey(dg.AssetKey(check[0]), check[1]) for check in checks}
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys.values()))
    found: dict[tuple[str, str], Judged] = {}
    for check, key in keys.items():
        record = latest.get(key)
        evaluation = record.event.asset_check_evaluation if record and record.event else None
        if record is None or evaluation is None:
            continue
        target = evaluation.target_materialization_data
        found[check] = Judged(
            asset=check[0],
            check=check[1],
            event=target.storage_id if target else None,
            passed=record.status is AssetCheckExecutionRecordStatus.SUCCEEDED,
            blocking=check in blocking,
        )
    return found


def counts(instance: dg.DagsterInstance, stores: Stores, answers: Iterable[str]) -> list[Count]:
    """Figures that several stores hold and must agree on; each of `answers` has one for every user."""
    graph = stores.graphs.count(latest_name(instance, "knowledge_graph"))

    def rows(asset: str) -> int:
        return stores.warehouse.open(latest_name(instance, asset)).rows

    def ask(sql: str, *assets: str) -> int:
        refs: list[TableRef] = [stores.warehouse.open(latest_name(instance, asset)).ref for asset in assets]
        return int(stores.warehouse.query(Select(sql, refs)).column(0)[0].as_py() or 0)

    return [
        Count(
            "users",
            {
                "users": rows("users"),
                "knowledge_graph": graph.nodes.get("User", 0),
                **{
                    # One of the answers about what is trending is the list of all users.
                    asset: stores.answers.count(latest_name(instance, asset)) - (asset == TRENDING)
                    for asset in answers
                },
                "user_features": rows("user_features"),
            },
        ),
        Count(
            "campaigns",
            {
                "campaigns": rows("campaigns"),
                "campaign_performance": rows("campaign_performance"),
                "campaign_features": rows("campaign_features"),
                "knowledge_graph": graph.nodes.get("Campaign", 0),
            },
        ),
        Count(
            "events",
            {
                "events": rows("events"),
                "knowledge_graph": graph.nodes.get("Event", 0),
                "user_campaign_engagement": ask(
                    "SELECT sum(events) FROM user_campaign_engagement", "user_campaign_engagement"
                ),
                ENRICHED_EVENTS: sum(
                    stores.enriched.count(name) for name in latest_sets(instance, ENRICHED_EVENTS)
                ),
                "daily_activity": ask("SELECT sum(events) FROM daily_activity", "daily_activity"),
            },
        ),
        Count(
            "messages with a text",
            {
                "events": ask("SELECT count(message) FROM events", "events"),
                "message_embeddings": stores.vectors.count(latest_name(instance, "message_embeddings"))
                + ask(WORDLESS, "events", "text_embeddings"),
                "knowledge_graph": graph.nodes.get("Message", 0),
            },
        ),
        Count(
            "who took part where",
            {
                "user_campaign_engagement": rows("user_campaign_engagement"),
                "knowledge_graph": graph.relations.get("PARTICIPATED_IN", 0),
            },
        ),
    ]


def rows(batches: Sequence[Batch]) -> list[Rows]:
    """What the ledger says became of the rows of each batch."""
    return [
        Rows(batch.batch_id, batch.rows_landed, batch.rows_valid, batch.rows_quarantined) for batch in batches
    ]
