"""The jobs that sensors, schedules and the command line run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from marketing_platform.defs.assets.emails import EMAILS
from marketing_platform.defs.assets.tuning import TUNING
from marketing_platform.defs.housekeeping import collect_old_releases, erase_users
from marketing_platform.defs.step_plan import step_plan
from marketing_platform.recommenders.item_kinds import KINDS

INGEST = "ingest"
REPLAY = "replay"
PUBLISH = "publish"
COLLECT = "collect"
ERASE = "erase"
TUNE = "tune"
SEND = "send_emails"

_ALONE = "marketing/alone"  # job tag: at most one run with the same value is under way (run queue)
_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"
_PARTITION = "dagster/partition"


def build_jobs() -> list[dg.UnresolvedAssetJobDefinition | dg.JobDefinition]:
    """`ingest` judges batches, `replay` judges them again from their raw records, `publish` makes a
    release of what is admitted, `tune` searches parameters of recommenders, `collect` tidies up,
    `erase` forgets users, `send_emails` sends campaigns.

    Ingestion is a run of its own so that a batch that is held makes no release: what serves is
    what served before. How large the pods of runs are is said by `step_plan.yaml`.
    """
    pod = step_plan().run_tags
    batches = dg.AssetSelection.assets("raw_records", "validated_records", "quarantined_records")
    sent = dg.AssetSelection.assets(EMAILS)
    searched = dg.AssetSelection.assets(*(TUNING.format(kind.words.noun) for kind in KINDS))
    return [
        dg.define_asset_job(
            INGEST,
            selection=batches,
            tags=pod(INGEST),
            description="New batches: kept, typed, judged, admitted or held.",
        ),
        dg.define_asset_job(
            REPLAY,
            selection=dg.AssetSelection.assets("validated_records", "quarantined_records"),
            tags=pod(REPLAY),
            description="Batches judged again from their raw records; what landed is not read.",
        ),
        dg.define_asset_job(
            PUBLISH,
            selection=dg.AssetSelection.all() - batches - searched - sent,
            tags={_ALONE: PUBLISH, **pod(PUBLISH)},
            description="Everything that follows the admitted batches, up to a release.",
        ),
        dg.define_asset_job(
            TUNE,
            selection=searched,
            tags=pod(TUNE),
            description="Parameters of the recommenders, which the next release uses.",
        ),
        dg.define_asset_job(
            SEND,
            selection=sent,
            tags={_ALONE: SEND, **pod(SEND)},
            description="Sends the scheduled campaigns from the release that serves.",
        ),
        collect_old_releases.to_job(
            name=COLLECT,
            tags={_ALONE: PUBLISH, **pod(COLLECT)},  # nor while a candidate is being built
            description="Deletes releases that nobody needs and what only they needed.",
        ),
        erase_users.to_job(
            name=ERASE,
            tags={_ALONE: PUBLISH, **pod(ERASE)},  # a candidate is built of the rows that it takes away
            description="Takes the rows of erased users out of everything that was landed.",
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


def batches_of(tags: Mapping[str, str], partitions: Sequence[str]) -> Sequence[str]:
    """The batches that a run with these tags takes; the other direction of `batch_ranges`."""
    first = tags.get(_RANGE_START, tags.get(_PARTITION))
    last = tags.get(_RANGE_END, first)
    if first not in partitions or last not in partitions:  # no batch, or one that was deleted by hand
        return ()
    return partitions[partitions.index(first) : partitions.index(last) + 1]


def _range(first: str, last: str) -> dict[str, str]:
    return {_RANGE_START: first, _RANGE_END: last}
