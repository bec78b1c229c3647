"""When things happen by themselves: conditions on assets, sensors, schedules."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from marketing_platform.defs.jobs import COLLECT, INGEST, PUBLISH, batch_range
from marketing_platform.defs.partitions import BATCHES
from marketing_platform.ingestion.landing import take_landed
from marketing_platform.releases.ledger import Ledger
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.version import made_of, up_to_date
from marketing_platform.settings import Settings
from marketing_platform.sources import load_sources
from marketing_platform.stores.registry import Stores

# Objects kept in one evaluation: a first look at a full bucket must end before the daemon's
# deadline for sensors; the next evaluation goes on.
_OBJECTS_PER_LOOK = 200
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class Attempt:
    """The sensor's cursor: which pending batches it asked a run for, how often and when."""

    batches: str = ""
    tries: int = 0
    at: str = ""

    @property
    def again_at(self) -> datetime:
        """After 1 failed try wait a minute, then twice as long each time, an hour at most."""
        pause = min(timedelta(minutes=2 ** (self.tries - 1)), _LONGEST_PAUSE)
        return datetime.fromisoformat(self.at) + pause


def build_sensors() -> list[dg.SensorDefinition]:
    """New files are ingested, what was admitted is published, a failed run says what still serves."""
    return [new_files, publish_admitted, run_failed, _automation()]


def build_schedules() -> list[dg.ScheduleDefinition]:
    """Every night: a release of what is admitted if none is current, then collection of old ones."""
    return [
        nightly_refresh,
        dg.ScheduleDefinition(
            name="nightly_collection",
            job_name=COLLECT,
            cron_schedule="30 3 * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Deletes releases that nobody needs and what only they needed.",
        ),
    ]


@dg.sensor(
    job_name=INGEST,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes new and overwritten files of the landing zone; files that arrive together run together.",
)
def new_files(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    ledger: dg.ResourceParam[Ledger],
) -> dg.SensorResult | dg.SkipReason:
    """Register what landed and ask for one run over everything that is not judged yet."""
    taken = take_landed(
        stores.objects,
        ledger,
        load_sources(settings.sources_dir),
        now=datetime.now(UTC),
        settle_seconds=settings.settle_seconds,
        limit=_OBJECTS_PER_LOOK,
    )
    for name in taken.unmatched[:10]:
        context.log.warning(f"no source declares {name}; add a YAML file to {settings.sources_dir}")
    pending = [batch.batch_id for batch in ledger.pending()]
    if not pending:
        return dg.SkipReason("nothing new has landed")
    if _unfinished(context.instance):
        return dg.SkipReason(f"{len(pending)} batch(es) wait for the run that is under way")
    attempt = _next_attempt(Attempt(**json.loads(context.cursor or "{}")), pending)
    if attempt is None:
        return dg.SkipReason(f"{len(pending)} batch(es) failed before and are tried again later")
    context.update_cursor(json.dumps(asdict(attempt)))
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"{attempt.batches}-{attempt.at}", tags=batch_range(pending))],
        dynamic_partitions_requests=[BATCHES.build_add_request(pending)],
    )


def _next_attempt(last: Attempt, pending: Sequence[str]) -> Attempt | None:
    now = datetime.now(UTC)
    batches = hashlib.sha256("\n".join(pending).encode()).hexdigest()[:16]
    if batches != last.batches:
        return Attempt(batches, 1, now.isoformat())
    if now < last.again_at:
        return None
    return Attempt(batches, last.tries + 1, now.isoformat())


def _unfinished(instance: dg.DagsterInstance) -> bool:
    states = [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    return any(
        instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=states)) for job in (INGEST, PUBLISH)
    )


@dg.sensor(
    job_name=PUBLISH,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a release when the admitted batches are not those of the release that serves.",
)
def publish_admitted(
    context: dg.SensorEvaluationContext,
    ledger: dg.ResourceParam[Ledger],
    shelf: dg.ResourceParam[ReleaseShelf],
) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run per change of the admitted batches; a rollback is not undone by it."""
    admitted = ledger.admitted()
    if not admitted:
        return dg.SkipReason("no batch is admitted yet")
    if ledger.pending() or _unfinished(context.instance):
        return dg.SkipReason("batches are still being judged, or a run is under way")
    wanted = hashlib.sha256(
        "\n".join(f"{batch.batch_id} {batch.state.value} {batch.parts}" for batch in admitted).encode()
    ).hexdigest()[:16]
    if context.cursor == wanted or any(made_of(manifest, admitted) for manifest in shelf.list()):
        context.update_cursor(wanted)
        return dg.SkipReason("a release of the admitted batches was made or asked for already")
    context.update_cursor(wanted)
    return dg.RunRequest(run_key=wanted)


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says which steps of a failed run failed, and which release goes on serving.",
)
def run_failed(
    context: dg.RunFailureSensorContext,
    shelf: dg.ResourceParam[ReleaseShelf],
    settings: dg.ResourceParam[Settings],
) -> None:
    """Log what failed and what still serves, and add it to `notices.jsonl` in the data folder."""
    failed = [
        {
            "step": event.step_key,
            "error": event.step_failure_data.error.message if event.step_failure_data.error else None,
        }
        for event in context.get_step_failure_events()
    ]
    current = shelf.current()
    serves = f"release {current} goes on serving" if current else "no release serves yet"
    context.log.error(
        f"run {context.dagster_run.run_id} failed in {[step['step'] for step in failed]}; {serves}"
    )
    notice = {
        "at": datetime.now(UTC).isoformat(),
        "run_id": context.dagster_run.run_id,
        "job": context.dagster_run.job_name,
        "failed": failed,
        "serving": current,
    }
    with (settings.data_dir / "notices.jsonl").open("a") as notices:
        notices.write(json.dumps(notice) + "\n")


@dg.schedule(
    job_name=PUBLISH,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A release of the admitted batches, unless the current one is just that.",
)
def nightly_refresh(
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    shelf: dg.ResourceParam[ReleaseShelf],
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run if the release that serves is not what code and ledger would make now."""
    if not ledger.admitted():
        return dg.SkipReason("no batch is admitted yet")
    if up_to_date(shelf, ledger, settings):
        return dg.SkipReason(f"release {shelf.current()} is up to date")
    return dg.RunRequest()


def _automation() -> dg.SensorDefinition:
    return dg.AutomationConditionSensorDefinition(
        "follow_upstream",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Materializes what follows an asset that was materialized by hand.",
    )
