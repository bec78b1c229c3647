"""When things happen by themselves: sensors and schedules.

Sensors remember nothing that runs, ledger and shelf know already: what was tried is told by the
runs (`attempts.py`), what was made by the releases. A cursor only holds what people were told.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from marketing_platform.automations.found import blocked
from marketing_platform.defs.asked import asked_sensors
from marketing_platform.defs.attempts import (
    Attempts,
    attempts,
    being_ingested,
    side_by_side,
    unfinished,
    work_of,
)
from marketing_platform.defs.failures import ended_at, failed_checks, what_failed
from marketing_platform.defs.jobs import COLLECT, ERASE, INGEST, PUBLISH, SEND, TUNE, batch_ranges
from marketing_platform.defs.partitions import BATCHES
from marketing_platform.errors import SourceError
from marketing_platform.ingestion.landing import Taken, take_landed
from marketing_platform.releases.erasures import Erasures
from marketing_platform.releases.ledger import Batch, Ledger
from marketing_platform.releases.manifest import Manifest
from marketing_platform.releases.notices import Notices
from marketing_platform.releases.outbox import Outbox
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.version import made_before, made_of
from marketing_platform.settings import Settings
from marketing_platform.sources import load_sources
from marketing_platform.stores.registry import Stores

# Objects kept in one evaluation: a first look at a full bucket must end before the daemon's
# deadline for sensors; the next evaluation goes on.
_OBJECTS_PER_LOOK = 200
_LOOK_EVERY = 5  # seconds; the daemon looks no more often
# Where files land without a pause, a release does not wait for ever until all of them are judged.
_LONGEST_WAIT = timedelta(minutes=10)


def build_sensors() -> list[dg.SensorDefinition]:
    """New files are ingested, erased users taken out, what was admitted is published, failures told.

    And runs that signed calls asked for are started.
    """
    return [new_files, erase_asked, publish_admitted, *asked_sensors(), run_failed, _automation()]


def build_schedules() -> list[dg.ScheduleDefinition]:
    """Every night: a release by today's code and rules if there is none, then collection of old ones.

    Every week: parameters of the recommenders, for the releases that follow. Every hour, once somebody
    switches it on: campaigns of e-mails.
    """
    return [
        nightly_refresh,
        dg.ScheduleDefinition(
            name="weekly_tuning",
            job_name=TUNE,
            cron_schedule="0 4 * * 0",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Searches parameters of the recommenders on what is known now.",
        ),
        dg.ScheduleDefinition(
            name="nightly_collection",
            job_name=COLLECT,
            cron_schedule="30 3 * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Deletes releases that nobody needs and what only they needed.",
        ),
        dg.ScheduleDefinition(
            name="hourly_emails",
            job_name=SEND,
            cron_schedule="5 * * * *",
            # Nobody gets an e-mail because an installation was started: a person switches this on.
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description="Sends the scheduled campaigns to whoever may get them at this hour.",
        ),
    ]


@dg.sensor(
    job_name=INGEST,
    minimum_interval_seconds=_LOOK_EVERY,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes new and overwritten files of the landing zone; what arrives together runs together.",
)
def new_files(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    stores: dg.ResourceParam[Stores],
    ledger: dg.ResourceParam[Ledger],
    notices: dg.ResourceParam[Notices],
) -> dg.SensorResult | dg.SkipReason:
    """Register what landed and ask for one run over everything that is not judged yet.

    Where runs go side by side, what a run has taken already is left to it. When a run failed, each
    batch is tried in a run of its own, so that one that cannot be read keeps no other waiting; then
    again after a pause that grows to an hour.
    """
    try:
        taken = _take(settings, stores, ledger)
    except SourceError as error:
        _tell_once(context, notices, f"nothing is ingested until this is mended: {error}")
        return dg.SkipReason(f"nothing is ingested until this is mended: {error}")
    _tell_once(context, notices, _undeclared(taken, settings))
    pending = ledger.pending()
    if not pending:
        return dg.SkipReason(_nothing_new(taken, settings))
    if not side_by_side(context.instance) and unfinished(context.instance):
        return dg.SkipReason(f"{len(pending)} batch(es) wait for the run that is under way")
    taken_already = being_ingested(context.instance)
    pending = [batch for batch in pending if batch.batch_id not in taken_already]
    if not pending:
        return dg.SkipReason(f"{len(taken_already)} batch(es) are being judged")
    tried = attempts(context.instance, INGEST, work_of(pending))
    if tried.waits():
        return dg.SkipReason(f"{len(pending)} batch(es) could not be judged {tried.told()}")
    return dg.SensorResult(
        run_requests=list(_ingest_requests(context.instance, tried, pending)),
        dynamic_partitions_requests=[BATCHES.build_add_request([batch.batch_id for batch in pending])],
    )


def _take(settings: Settings, stores: Stores, ledger: Ledger) -> Taken:
    return take_landed(
        stores.objects,
        ledger,
        load_sources(settings.sources_dir),
        now=datetime.now(UTC),
        settle_seconds=settings.settle_seconds,
        limit=_OBJECTS_PER_LOOK,
    )


def _undeclared(taken: Taken, settings: Settings) -> str:
    if not taken.unmatched:
        return ""
    shown = ", ".join(taken.unmatched[:5]) + (" …" if len(taken.unmatched) > 5 else "")  # noqa: PLR2004
    return f"no source declares {shown}; add a YAML file to {settings.sources_dir}"


def _nothing_new(taken: Taken, settings: Settings) -> str:
    if taken.unsettled:
        return f"still being written: {', '.join(taken.unsettled[:5])}"
    undeclared = _undeclared(taken, settings)
    return "nothing new has landed" + (f"; {undeclared}" if undeclared else "")


def _ingest_requests(
    instance: dg.DagsterInstance, tried: Attempts, pending: Sequence[Batch]
) -> Iterator[dg.RunRequest]:
    batches = [batch.batch_id for batch in pending]
    known = instance.get_dynamic_partitions(str(BATCHES.name))
    partitions = [*known, *(batch for batch in batches if batch not in set(known))]
    groups = [[batch] for batch in batches] if tried.rounds else [batches]
    for group in groups:
        for tags in batch_ranges(group, partitions):
            yield dg.RunRequest(tags={**tags, **tried.tags()})


@dg.sensor(
    job_name=ERASE,
    minimum_interval_seconds=_LOOK_EVERY,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes users out of what was landed once somebody asked for it; the next release follows.",
)
def erase_asked(
    context: dg.SensorEvaluationContext,
    ledger: dg.ResourceParam[Ledger],
    erasures: dg.ResourceParam[Erasures],
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run while users wait to be forgotten; a run that failed is tried again after a pause."""
    waiting = erasures.waiting()
    if not waiting:
        return dg.SkipReason("nobody waits to be forgotten")
    if ledger.pending():
        return dg.SkipReason("batches wait to be judged first")
    if unfinished(context.instance, ERASE, PUBLISH, COLLECT):
        return dg.SkipReason("a run is under way")
    tried = attempts(context.instance, ERASE, ",".join(one.erasure_id for one in waiting))
    if tried.last is not None and not tried.last.is_success and tried.waits():
        return dg.SkipReason(f"users could not be erased {tried.told()}")
    return dg.RunRequest(tags=tried.tags())


@dg.sensor(
    job_name=PUBLISH,
    minimum_interval_seconds=_LOOK_EVERY,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a release when the admitted batches are those of no release yet.",
)
def publish_admitted(
    context: dg.SensorEvaluationContext,
    ledger: dg.ResourceParam[Ledger],
    shelf: dg.ResourceParam[ReleaseShelf],
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a release per change of the admitted batches; a rollback is not undone by it.

    A run that its checks stopped is not tried again, as the same rows would fail the same rules;
    any other failure is, after a pause that grows to an hour.
    """
    admitted = ledger.admitted()
    tried = attempts(context.instance, PUBLISH, work_of(admitted))
    why_not = (
        _not_yet(context.instance, ledger, shelf)
        or _told(shelf, next((made for made in shelf.list() if made_of(made, admitted)), None))
        or _tried_already(context.instance, tried)
    )
    return dg.SkipReason(why_not) if why_not else dg.RunRequest(tags=tried.tags())


def _not_yet(instance: dg.DagsterInstance, ledger: Ledger, shelf: ReleaseShelf) -> str | None:
    admitted = ledger.admitted()
    if not admitted:
        return "no batch is admitted yet"
    if unfinished(instance, *((PUBLISH, COLLECT) if side_by_side(instance) else ())):
        return "a run is under way"
    being_judged = being_ingested(instance) or _to_be_judged(instance, ledger.pending())
    if being_judged and not _overdue(admitted, shelf):
        return "batches are still being judged"
    return None


def _overdue(admitted: Sequence[Batch], shelf: ReleaseShelf) -> bool:
    """Whether an admitted batch landed long ago and is in no release."""
    served = {entry.batch_id for manifest in shelf.list() for entry in manifest.batches}
    latest = datetime.now(UTC) - _LONGEST_WAIT
    return any(batch.landed_at < latest and batch.batch_id not in served for batch in admitted)


def _to_be_judged(instance: dg.DagsterInstance, pending: Sequence[Batch]) -> bool:
    """Whether a first try is still due; batches that failed together and alone keep nothing waiting."""
    rounds = 1 if len(pending) == 1 else 2
    return bool(pending) and attempts(instance, INGEST, work_of(pending)).rounds < rounds


def _told(shelf: ReleaseShelf, manifest: Manifest | None) -> str | None:
    if manifest is None:
        return None
    current = shelf.current()
    moved = "" if manifest.release_id == current else f"; the pointer was moved to {current}"
    return f"release {manifest.release_id} is made of the admitted batches{moved}"


def _tried_already(instance: dg.DagsterInstance, tried: Attempts) -> str | None:
    if tried.last is None:
        return None
    run_id = tried.last.run_id
    if tried.last.is_success:
        return f"run {run_id} made a release of the admitted batches"
    if any(failed_checks(instance, run_id)):
        return f"the checks stopped run {run_id}; waiting for other batches, or for a run started by hand"
    if tried.waits():
        return f"no release could be made {tried.told()}"
    return None


@dg.run_failure_sensor(
    minimum_interval_seconds=_LOOK_EVERY,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says why a run failed, and which release goes on serving.",
)
def run_failed(
    context: dg.RunFailureSensorContext,
    shelf: dg.ResourceParam[ReleaseShelf],
    notices: dg.ResourceParam[Notices],
    outbox: dg.ResourceParam[Outbox],
) -> None:
    """Log what failed and what still serves, and add it to the notices; a blocked release to the outbox."""
    run, current = context.dagster_run, shelf.current()
    failures = what_failed(context.instance, run.run_id)
    serves = f"release {current} goes on serving" if current else "no release serves yet"
    message = f"run {run.run_id} ({run.job_name}) failed, {serves}: {'; '.join(failures)}"
    context.log.info(message)
    if run.job_name == PUBLISH:
        outbox.add(
            [blocked(run.run_id, ended_at(context.instance, run.run_id), failed=failures, serving=current)]
        )
    notices.add(
        message,
        run_id=run.run_id,
        job=run.job_name,
        failed=failures,
        serving=current,
    )


@dg.schedule(
    job_name=PUBLISH,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A release of the admitted batches by the code and rules of today, unless there is one.",
)
def nightly_refresh(
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    shelf: dg.ResourceParam[ReleaseShelf],
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run if no release is what code and ledger would make now; a rollback is not undone."""
    if not ledger.admitted():
        return dg.SkipReason("no batch is admitted yet")
    made = _told(shelf, made_before(shelf, ledger, settings))
    return dg.SkipReason(made) if made else dg.RunRequest()


def _automation() -> dg.SensorDefinition:
    return dg.AutomationConditionSensorDefinition(
        "follow_upstream",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Materializes what follows an asset that was materialized by hand.",
    )


def _tell_once(context: dg.SensorEvaluationContext, notices: Notices, problem: str) -> None:
    """Log and note a problem when it appears, not again at every look."""
    if (context.cursor or "") == problem:
        return
    context.update_cursor(problem)
    if problem:
        context.log.info(problem)
        notices.add(problem)
