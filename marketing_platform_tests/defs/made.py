"""What a run of the pipeline computed, and what it kept from runs before, as its event log tells."""

from __future__ import annotations

import dagster as dg

from marketing_platform.defs.io_managers.reuse import COMPUTED_BECAUSE, REUSED_FROM


def computed(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """By asset why a run computed it; assets that are cheap enough to be computed always have no reason."""
    made = _materialized(instance, run_id)
    return {
        asset: str(metadata[COMPUTED_BECAUSE].value) if COMPUTED_BECAUSE in metadata else ""
        for asset, metadata in made.items()
        if REUSED_FROM not in metadata
    }


def kept(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """By asset which run made what this one kept."""
    made = _materialized(instance, run_id)
    return {
        asset: str(metadata[REUSED_FROM].value) for asset, metadata in made.items() if REUSED_FROM in metadata
    }


def latest_run(instance: dg.DagsterInstance, job: str) -> str:
    """The run of a job that was started last."""
    return instance.get_runs(dg.RunsFilter(job_name=job), limit=1)[0].run_id


def _materialized(instance: dg.DagsterInstance, run_id: str) -> dict[str, dict[str, dg.MetadataValue]]:
    events = (
        entry.get_dagster_event().step_materialization_data.materialization
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    )
    return {event.asset_key.path[-1]: dict(event.metadata) for event in events}
