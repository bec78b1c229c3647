"""Rehearses the gates on the real jobs: samples land in an installation of their own and are run.

What must come of a planted sample is said in `gates/trial.py`. Some rules can only be broken by a
job that is broken itself; for those one step of the job is made faulty here, and nothing of the
check that must notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import orjson
import pyarrow as pa

from marketing_platform.defs.execution import Pipeline, RunFailed, open_instance
from marketing_platform.gates.trial import Sample, Stopped
from marketing_platform.ingestion.dry_run import declaration
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.registry import Stores, open_stores


class Rehearsal:
    """Installations below `folder`, one per landing, with the rules of `settings`."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder

    def land(self, *samples: Sample) -> Stopped:
        """Land samples of different tables together, ingest and publish them; what stopped them?

        Raises RunFailed when something else than a check did.
        """
        settings = self._installation(samples)
        with open_instance(settings) as instance:
            stores = _faulty(open_stores(settings), samples)
            pipeline = Pipeline(settings, instance, lambda _: None, stores=stores)
            pipeline.ingest(pipeline.take().batches)
            failure = _failure(pipeline)
            failed = frozenset(_failed_checks(instance))
            if failure is not None and not failed:
                raise failure
            reasons = dict(_reasons(stores, pipeline))
            return Stopped(reasons=reasons, gate_rules=failed, released=pipeline.shelf.current() is not None)

    def _installation(self, samples: Iterable[Sample]) -> Settings:
        root = self._folder / uuid4().hex
        sources, landing = root / "sources", root / "landing"
        for folder in (sources, landing):
            folder.mkdir(parents=True)
        for sample in samples:
            declared = declaration(sample.table)
            (sources / f"{sample.table}.yaml").write_bytes(orjson.dumps(declared))  # JSON is YAML
            (landing / declared["path"]).write_bytes(sample.content)
        models = self._folder / "models"  # one for all: preparing the model takes seconds
        models.mkdir(exist_ok=True)
        (root / "models").symlink_to(models.resolve())
        return self._settings.model_copy(
            update={"data_dir": root, "input_dir": landing, "sources_dir": sources}
        )


def _failure(pipeline: Pipeline) -> RunFailed | None:
    try:
        pipeline.publish()
    except RunFailed as error:
        return error
    return None


def _failed_checks(instance: dg.DagsterInstance) -> Iterator[str]:
    for run in instance.get_runs():
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            event = entry.dagster_event
            if event is not None and not event.asset_check_evaluation_data.passed:
                yield event.asset_check_evaluation_data.check_name


def _reasons(stores: Stores, pipeline: Pipeline) -> Iterator[tuple[int, tuple[str, ...]]]:
    for batch in pipeline.ledger.batches():
        for chunk in stores.documents.read_quarantine(batch.batch_id):
            for row in chunk.to_pylist():
                yield row["ordinal"], tuple(orjson.loads(row["reasons"]))


def _faulty(stores: Stores, samples: Iterable[Sample]) -> Stores:
    for sample in samples:
        if sample.lose:
            stores = replace(stores, documents=_LosingDocuments(stores.documents, sample.lose))
        if sample.repeat:
            repeating = _RepeatingWarehouse(stores.warehouse, sample.table, sample.repeat)
            stores = replace(stores, warehouse=repeating)
    return stores


class _Instead:
    """Something that behaves like `real` but for the methods of the subclass."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _LosingDocuments(_Instead):
    """Documents whose last records are lost on the way to the step that judges them."""

    def __init__(self, real: Any, count: int) -> None:
        super().__init__(real)
        self._count = count

    def read_compact(self, batch_id: str, *, chunk_rows: int) -> Iterator[pa.Table]:
        records = pa.concat_tables(self._real.read_raw(batch_id, chunk_rows=chunk_rows))
        yield records.slice(0, records.num_rows - self._count)


class _RepeatingWarehouse(_Instead):
    """A warehouse that stores the first rows of one table twice."""

    def __init__(self, real: Any, table: str, count: int) -> None:
        super().__init__(real)
        self._table = table
        self._count = count

    def create(self, part: str, select: Select) -> StoredTable:
        if part.rpartition("__")[0] == self._table:
            again = f"SELECT * FROM ({select.sql}) LIMIT {self._count}"  # noqa: S608 -- our own query
            doubled = f"SELECT * FROM ({select.sql}) UNION ALL ({again})"  # noqa: S608
            select = replace(select, sql=doubled)
        return self._real.create(part, select)
