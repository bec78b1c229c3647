"""What the code location offers: one look.

`build_definitions` assembles the graph from settings, so that a test builds the same graph on
other folders. What an asset does is in `defs/assets/`, what it computes in the packages beside.
"""

from __future__ import annotations

import dagster as dg

from marketing_platform.defs.assets.analytics import aggregate_assets, analytics_report
from marketing_platform.defs.assets.content import board_images, people
from marketing_platform.defs.assets.documents import enriched_events
from marketing_platform.defs.assets.emails import email_sends
from marketing_platform.defs.assets.embeddings import (
    message_embeddings,
    similar_users,
    text_embeddings,
    user_vectors,
)
from marketing_platform.defs.assets.experiments import experiment_arms, experiment_days, experiment_results
from marketing_platform.defs.assets.features import feature_assets
from marketing_platform.defs.assets.findings import kpi_anomalies, kpi_forecasts
from marketing_platform.defs.assets.graph import interests_of_messages, knowledge_graph
from marketing_platform.defs.assets.ingestion import admitted_batches, batch_gate, raw_records
from marketing_platform.defs.assets.items import evaluation_asset, recommendations_asset
from marketing_platform.defs.assets.product_lists import product_lists
from marketing_platform.defs.assets.recommendations import recommendations, similar_users_lookup
from marketing_platform.defs.assets.release import release_asset
from marketing_platform.defs.assets.segments import segment_members, segments_report
from marketing_platform.defs.assets.tables import table_assets
from marketing_platform.defs.assets.tuning import tuning_asset
from marketing_platform.defs.automation import build_schedules, build_sensors
from marketing_platform.defs.checks import measure_checks, table_checks
from marketing_platform.defs.jobs import build_jobs
from marketing_platform.defs.resources import build_resources
from marketing_platform.features.loading import load_features
from marketing_platform.gates import load_suites
from marketing_platform.recommenders.item_kinds import KINDS
from marketing_platform.settings import Settings, load_settings
from marketing_platform.stores.registry import Stores


def build_definitions(settings: Settings, *, stores: Stores | None = None) -> dg.Definitions:
    """The assets, checks, jobs, sensors, schedules and resources for one installation.

    `stores` take the place of those that the settings name.
    """
    suites = load_suites(settings.expectations_dir)
    checks = [*table_checks(suites), *measure_checks(suites)]
    return dg.Definitions(
        assets=[
            raw_records,
            batch_gate(suites),
            admitted_batches,
            *table_assets(),
            text_embeddings,
            message_embeddings,
            user_vectors,
            similar_users,
            interests_of_messages,
            knowledge_graph,
            *aggregate_assets(),
            *feature_assets(load_features(settings.features_dir)),
            enriched_events,
            analytics_report,
            kpi_anomalies,
            kpi_forecasts,
            experiment_days,
            experiment_results,
            experiment_arms,
            similar_users_lookup,
            recommendations,
            *(
                asset(kind)
                for kind in KINDS
                for asset in (tuning_asset, evaluation_asset, recommendations_asset)
            ),
            product_lists,
            people,
            segments_report,
            segment_members,
            board_images,
            release_asset(checks),
            email_sends,
        ],
        asset_checks=checks,
        jobs=build_jobs(),
        sensors=build_sensors(),
        schedules=build_schedules(),
        resources=build_resources(settings, stores=stores),
        executor=dg.in_process_executor,
    )


defs = build_definitions(load_settings())
