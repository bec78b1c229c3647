"""The jobs that sensors, schedules and the command line run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

from marketing_platform.defs.housekeeping import collect_old_releases

INGEST = "ingest"
PUBLISH = "publish"
COLLECT = "collect"

_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


def build_jobs() -> list[dg.UnresolvedAssetJobDefinition | dg.JobDefinition]:
    """`ingest` judges batches, `publish` makes a release of what is admitted, `collect` tidies up.

    Ingestion is a run of its own so that a batch that is held makes no release: what serves is
    what served before.
    """
    batches = dg.AssetSelection.assets("raw_records", "validated_records", "quarantined_records")
    return [
        dg.define_asset_job(
            INGEST,
            selection=batches,
            description="New batches: kept, typed, judged, admitted or held.",
        ),
        dg.define_asset_job(
            PUBLISH,
            selection=dg.AssetSelection.all() - batches,
            description="Everything that follows the admitted batches, up to a release.",
        ),
        collect_old_releases.to_job(
            name=COLLECT,
            description="Deletes releases that nobody needs and what only they needed.",
        ),
    ]


def batch_ranges(batches: Sequence[str], partitions: Sequence[str]) -> Iterator[dict[str, str]]:
    """Run tags that make runs of `ingest` take these batches: a run takes partitions side by side."""
    place = {partition: number for number, partition in enumerate(partitions)}
    ordered = sorted(set(batches), key=place.__getitem__)
    first = previous = ordered[0]
    for batch in ordered[1:]:
        if place[batch] != place[previous] + 1:
            yield _range(first, previous)
            first = batch
        previous = batch
    yield _range(first, previous)


def _range(first: str, last: str) -> dict[str, str]:
    return {_RANGE_START: first, _RANGE_END: last}
