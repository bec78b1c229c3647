"""Runs the definitions in this process, on the same Dagster instance that UI and daemon use."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.execute_in_process import core_execute_in_process

from marketing_platform.automations.found import blocked
from marketing_platform.defs.failures import ended_at, what_failed
from marketing_platform.defs.jobs import ERASE, INGEST, PUBLISH, REPLAY, batch_ranges, batches_of
from marketing_platform.defs.launcher import PROCESS, fail_orphans, this_process
from marketing_platform.defs.partitions import BATCHES
from marketing_platform.defs.pools import limit_pools
from marketing_platform.defs.progress import Before, Listener, OnProgress, before
from marketing_platform.errors import MarketingPlatformError, StoreUnavailable
from marketing_platform.ingestion.landing import Taken, take_landed
from marketing_platform.memory import Leftovers
from marketing_platform.releases.records import open_records
from marketing_platform.releases.version import made_before
from marketing_platform.settings import PROJECT_DIR, Settings
from marketing_platform.sources import load_sources
from marketing_platform.stores.registry import Stores, open_stores

_INSTANCES = {"embedded": "dagster.yaml", "servers": "dagster.servers.yaml"}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunFailed(MarketingPlatformError):
    """A run did not succeed; the message says which steps or checks failed and why."""


@contextmanager
def open_instance(settings: Settings) -> Generator[dg.DagsterInstance]:
    """The Dagster instance of the data folder, configured by the project's file for the profile."""
    home = prepare_home(settings)
    # Whatever else somebody uses Dagster for: the file names this folder by the variable.
    os.environ["DAGSTER_HOME"] = home
    with _reaching_storage(settings), dg.DagsterInstance.from_config(home) as instance:
        limit_pools(instance)
        yield instance


def _reaching_storage(settings: Settings) -> AbstractContextManager[None]:
    if settings.profile == "embedded":
        return nullcontext()
    # An embedded installation need not have the client of PostgreSQL.
    from marketing_platform.defs.storage import reaching_storage

    return reaching_storage()


def prepare_home(settings: Settings) -> str:
    """The folder in which Dagster keeps runs and events; made if it is not there."""
    home = settings.dagster_home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_DIR / _INSTANCES[settings.profile], home / "dagster.yaml")
    return str(home)


class Pipeline:
    """The jobs of one installation, run here and now."""

    def __init__(
        self,
        settings: Settings,
        instance: dg.DagsterInstance,
        on_progress: OnProgress,
        *,
        stores: Stores | None = None,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._instance = instance
        self._on_progress = on_progress
        self._definitions: dg.Definitions | None = None
        records = open_records(settings)
        self.ledger = records.ledger
        self.shelf = records.shelf
        self._erasures = records.erasures
        self._outbox = records.outbox
        fail_orphans(instance)

    def take(self) -> Taken:
        """Keep and register what lies in the landing zone."""
        return take_landed(
            (self._stores or open_stores(self._settings)).objects,
            self.ledger,
            load_sources(self._settings.sources_dir),
            now=datetime.now(UTC),
            settle_seconds=0,
        )

    def ingest(self, batches: Sequence[str]) -> None:
        """Read and judge batches, given in order of landing.

        When that fails, each is tried in a run of its own, so that one that cannot be read keeps no
        other waiting. RunFailed then names those that failed, after the others were judged.
        """
        waiting = {batch.batch_id for batch in self.ledger.pending()}
        try:
            self._ingest(batches)
        except RunFailed as failure:
            left = {batch.batch_id for batch in self.ledger.pending()}
            alone = [batch for batch in batches if batch in left or batch not in waiting]
            failures = [failure] if len(batches) == 1 else list(self._ingest_alone(alone))
            if failures:
                raise RunFailed("\n".join(map(str, failures))) from None

    def _ingest_alone(self, batches: Sequence[str]) -> Iterator[RunFailed]:
        for batch in batches:
            try:
                self._ingest([batch])
            except RunFailed as failure:
                yield failure

    def replay(self, batch: str) -> None:
        """Judge a batch again from its raw records; RunFailed when that fails."""
        self._ingest([batch], job=REPLAY)

    def _ingest(self, batches: Sequence[str], *, job: str = INGEST) -> None:
        self._instance.add_dynamic_partitions(str(BATCHES.name), list(batches))
        partitions = self._instance.get_dynamic_partitions(str(BATCHES.name))
        for tags in batch_ranges(batches, partitions):
            self._execute(job, tags)

    def publish(self) -> bool:
        """Make a release of the admitted batches unless there is one; returns whether one was made.

        Users who are to be forgotten are taken out of the batches first.
        """
        if self._erasures.waiting():
            self._execute(ERASE, {})
        if not self.ledger.admitted() or made_before(self.shelf, self.ledger, self._settings):
            return False
        self._execute(PUBLISH, {})
        return True

    def _execute(self, job_name: str, tags: dict[str, str]) -> None:
        job = self._resolved().resolve_job_def(job_name)
        run_id = str(uuid4())
        steps = [node.name for node in job.get_subset().graph.nodes]
        progress = Listener(job_name, steps, self._before(job_name, tags), self._on_progress)
        self._instance.add_event_listener(run_id, progress.hear)
        self._instance.add_event_listener(run_id, partial(_after_step, Leftovers()))
        if not _succeeds(job, self._instance, run_id, {**tags, PROCESS: this_process()}):
            failures = what_failed(self._instance, run_id)
            if job_name == PUBLISH:
                self._tell_blocked(run_id, failures)
            listed = "\n".join(f"  - {failure}" for failure in failures)
            raise RunFailed(f"run {run_id} failed:\n{listed}")

    def _before(self, job: str, tags: Mapping[str, str]) -> Before | None:
        """What the last such run took, and how much more there is to do: bytes to read, or rows to serve."""
        found = before(self._instance, job)
        if found is None:
            return None
        run, known = found
        if job == PUBLISH:
            made = (manifest for manifest in self.shelf.list() if manifest.run_id == run.run_id)
            then = next((manifest.totals.rows_valid for manifest in made), 0)
            now = sum(batch.rows_valid for batch in self.ledger.admitted())
        else:
            partitions = self._instance.get_dynamic_partitions(str(BATCHES.name))
            sizes = {batch.batch_id: batch.size for batch in self.ledger.batches()}
            then, now = (
                sum(sizes.get(batch, 0) for batch in batches_of(of, partitions)) for of in (run.tags, tags)
            )
        return replace(known, more=now / then) if now and then else known

    def _tell_blocked(self, run_id: str, failures: Sequence[str]) -> None:
        """What cannot be kept now is told by the daemon's failure sensor, which sees this run as well."""
        with suppress(StoreUnavailable):
            at = ended_at(self._instance, run_id)
            self._outbox.add([blocked(run_id, at, failed=failures, serving=self.shelf.current())])

    def _resolved(self) -> dg.Definitions:
        if self._definitions is None:
            logging.getLogger("dagster").setLevel(logging.CRITICAL)
            from marketing_platform.definitions import build_definitions

            self._definitions = build_definitions(self._settings, stores=self._stores)
        return self._definitions


def _succeeds(
    job: dg.JobDefinition, instance: dg.DagsterInstance, run_id: str, tags: Mapping[str, str]
) -> bool:
    """Run a job as `JobDefinition.execute_in_process` does, but let go of what each step returned.

    That method keeps it until the run ends, tables of millions of rows among it, and has no switch for it.
    """
    result = core_execute_in_process(
        job=InMemoryJob(job_def=job.as_ephemeral_job(resource_defs={}, input_values={})),
        run_config=_QUIET,
        instance=instance,
        output_capturing_enabled=False,
        raise_on_error=False,
        run_tags=tags,  # the job's own are added
        run_id=run_id,
        asset_selection=frozenset(),
    )
    return result.success


def _after_step(leftovers: Leftovers, entry: dg.EventLogEntry) -> None:
    """All steps of this process share its memory; started by Dagster's UI or daemon, each has its own."""
    if entry.dagster_event is not None and entry.dagster_event.is_step_success:
        leftovers.clear()
