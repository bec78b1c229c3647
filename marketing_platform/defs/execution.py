"""Runs the definitions in this process, on the same Dagster instance that UI and daemon use."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import dagster as dg

from marketing_platform.defs.jobs import INGEST, PUBLISH, batch_range
from marketing_platform.defs.partitions import BATCHES
from marketing_platform.errors import MarketingPlatformError
from marketing_platform.ingestion.landing import Taken, take_landed
from marketing_platform.releases.ledger import Ledger
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform.releases.version import up_to_date
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.sources import load_sources
from marketing_platform.stores.registry import open_stores

_PROCESS = "marketing/process"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunFailed(MarketingPlatformError):
    """A run did not succeed; the message says which steps or checks failed and why."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    job: str
    done: int
    steps: int
    step: str | None  # the step that just started


OnProgress = Callable[[Progress], None]


@contextmanager
def open_instance(settings: Settings) -> Generator[dg.DagsterInstance]:
    """The Dagster instance of the data folder, configured by the project's dagster.yaml."""
    home = prepare_home(settings)
    os.environ.setdefault("DAGSTER_HOME", home)
    with dg.DagsterInstance.from_config(home) as instance:
        yield instance


def prepare_home(settings: Settings) -> str:
    """The folder in which Dagster keeps runs and events; made if it is not there."""
    home = settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_DIR / "dagster.yaml", home / "dagster.yaml")
    return str(home)


class Pipeline:
    """The jobs of one installation, run here and now."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, on_progress: OnProgress) -> None:
        self._settings = settings
        self._instance = instance
        self._on_progress = on_progress
        self._definitions: dg.Definitions | None = None
        self.ledger = Ledger(settings.data_dir / "ledger.sqlite")
        self.shelf = ReleaseShelf(settings.data_dir / "releases")
        _fail_orphans(instance)

    def take(self) -> Taken:
        """Keep and register what lies in the landing zone."""
        return take_landed(
            open_stores(self._settings).objects,
            self.ledger,
            load_sources(self._settings.sources_dir),
            now=datetime.now(UTC),
            settle_seconds=0,
        )

    def ingest(self, batches: Sequence[str]) -> None:
        """Read and judge batches, given in order of landing."""
        self._instance.add_dynamic_partitions(str(BATCHES.name), list(batches))
        for first, last in _neighbours(batches, self._instance.get_dynamic_partitions(str(BATCHES.name))):
            self._execute(INGEST, batch_range([first, last]))

    def publish(self) -> bool:
        """Make a release if the one that serves is not up to date; returns whether one was made."""
        if not self.ledger.admitted() or up_to_date(self.shelf, self.ledger, self._settings):
            return False
        self._execute(PUBLISH, {})
        return True

    def _execute(self, job_name: str, tags: dict[str, str]) -> None:
        job = self._resolved().resolve_job_def(job_name)
        run_id = str(uuid4())
        steps = len(job.get_subset().graph.nodes)
        progress = _Listener(job_name, steps, self._on_progress)
        self._instance.add_event_listener(run_id, progress.hear)
        result = job.execute_in_process(
            instance=self._instance,
            run_id=run_id,
            tags={**tags, _PROCESS: f"{os.getpid()}"},
            run_config=_QUIET,
            raise_on_error=False,
        )
        if not result.success:
            raise RunFailed(_what_failed(result, run_id))

    def _resolved(self) -> dg.Definitions:
        if self._definitions is None:
            warnings.filterwarnings("ignore", category=dg.BetaWarning)
            warnings.filterwarnings("ignore", category=dg.PreviewWarning)
            logging.getLogger("dagster").setLevel(logging.CRITICAL)
            from marketing_platform.definitions import build_definitions

            self._definitions = build_definitions(self._settings)
        return self._definitions


class _Listener:
    def __init__(self, job: str, steps: int, on_progress: OnProgress) -> None:
        self._job = job
        self._steps = steps
        self._done = 0
        self._on_progress = on_progress

    def hear(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        if event.event_type is dg.DagsterEventType.STEP_START:
            self._on_progress(Progress(self._job, self._done, self._steps, event.step_key))
        elif event.is_step_success or event.is_step_failure or event.is_step_skipped:
            self._done += 1
            self._on_progress(Progress(self._job, self._done, self._steps, None))


def _neighbours(batches: Sequence[str], partitions: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The batches as ranges of partitions that stand side by side, since a run takes a range."""
    place = {partition: number for number, partition in enumerate(partitions)}
    ordered = sorted(set(batches), key=place.__getitem__)
    first = previous = ordered[0]
    for batch in ordered[1:]:
        if place[batch] != place[previous] + 1:
            yield first, previous
            first = batch
        previous = batch
    yield first, previous


def _what_failed(result: dg.ExecuteInProcessResult, run_id: str) -> str:
    lines = [
        f"  - check {evaluation.check_name} of {evaluation.asset_key.to_user_string()} failed: {evaluation.description};"
        f" observed {evaluation.metadata['observed'].value}, expected {evaluation.metadata['expected'].value}"
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed and evaluation.blocking
    ]
    if not lines:
        for event in result.get_step_failure_events():
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            lines.append(
                f"  - {event.step_key}: {error.message.strip() if error else 'no error was recorded'}"
            )
    return f"run {run_id} failed:\n" + "\n".join(lines)


def _fail_orphans(instance: dg.DagsterInstance) -> None:
    """Runs of processes that are gone are over, whatever the event log says."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED])
    for run in instance.get_runs(started):
        process = run.tags.get(_PROCESS)
        if process and not _alive(int(process)):
            instance.report_run_failed(run, f"process {process} ended without a word (killed?)")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
