"""How often the same work was asked for, told by a tag of its runs, and when to ask again.

The runs themselves are the memory of the sensors: no cursor can say that something was tried when
it never ran, and what somebody else ran counts too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from marketing_platform.defs.jobs import batches_of
from marketing_platform.defs.partitions import BATCHES
from marketing_platform.releases.ledger import Batch

WORK = "marketing/work"  # run tag: what the run was asked to do
ROUND = "marketing/round"  # run tag: the how-manieth time
_LONGEST_PAUSE = timedelta(hours=1)
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Attempts:
    """The runs made for one piece of work; `last` is the newest of them."""

    work: str
    rounds: int
    last: dg.DagsterRun | None
    ended: datetime | None  # of the newest

    @property
    def again_at(self) -> datetime | None:
        """A minute after the first round, then twice as long each time, an hour at most; None before it."""
        if self.ended is None:
            return None
        return self.ended + min(timedelta(minutes=2 ** min(self.rounds - 1, 6)), _LONGEST_PAUSE)

    def waits(self) -> bool:
        """Whether it is too early for the next round."""
        return self.again_at is not None and datetime.now(UTC) < self.again_at

    def tags(self) -> dict[str, str]:
        """The tags of the runs of the next round."""
        return {WORK: self.work, ROUND: str(self.rounds + 1)}

    def told(self) -> str:
        """What to say while waiting for the next round."""
        last = self.last.run_id if self.last else "unknown"
        again = f"{self.again_at:%H:%M:%S} UTC" if self.again_at else "once"
        return f"{self.rounds} time(s), last in run {last}; tried again at {again}"


def attempts(instance: dg.DagsterInstance, job: str, work: str) -> Attempts:
    """What was tried for `work`, by runs of `job`."""
    found = instance.get_run_records(dg.RunsFilter(job_name=job, tags={WORK: work}))
    if not found:
        return Attempts(work, 0, None, None)
    rounds = max(int(record.dagster_run.tags.get(ROUND, "1")) for record in found)
    newest = found[0]
    ended = datetime.fromtimestamp(newest.end_time, UTC) if newest.end_time else newest.update_timestamp
    return Attempts(work, rounds, newest.dagster_run, ended.replace(tzinfo=UTC))


def work_of(batches: Iterable[Batch]) -> str:
    """A name for "these batches as they are judged now"."""
    lines = (f"{batch.batch_id} {batch.state.value} {sorted(batch.parts.items())}" for batch in batches)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def unfinished(instance: dg.DagsterInstance, *jobs: str) -> bool:
    """Whether a run of one of these jobs, or of whatever job when none is named, waits or is under way."""
    names = jobs or (None,)
    return any(
        instance.get_runs_count(dg.RunsFilter(job_name=name, statuses=_UNFINISHED)) > 0 for name in names
    )


def side_by_side(instance: dg.DagsterInstance) -> bool:
    """Whether the instance's run queue lets several runs go at once."""
    queue = instance.get_concurrency_config().run_queue_config
    return queue is not None and queue.max_concurrent_runs != 1


def being_ingested(instance: dg.DagsterInstance) -> frozenset[str]:
    """The batches that runs take which wait or are under way, whatever they were started by."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    if not runs:
        return frozenset()
    partitions = instance.get_dynamic_partitions(str(BATCHES.name))
    return frozenset(batch for run in runs for batch in batches_of(run.tags, partitions))
