"""Dagster's files, kept open: what is written is what Dagster itself reads, by whichever process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from marketing_platform.defs.event_log import EventLog
from marketing_platform.defs.execution import open_instance
from marketing_platform.settings import Settings

KEY = dg.AssetKey("counted")


@dg.asset
def counted() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"dagster/row_count": 3})


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(Settings(data_dir=tmp_path)) as opened:
        yield opened


def dagsters(instance: dg.DagsterInstance) -> SqliteEventLogStorage:
    """Dagster's own log over the files of the instance."""
    return SqliteEventLogStorage(str(Path(instance.root_directory, "history", "runs")))


def latest(log: Any) -> Any:
    return log.get_latest_materialization_events([KEY])[KEY].asset_materialization.metadata[
        "dagster/row_count"
    ]


def test_an_installation_keeps_its_events_there(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, EventLog)


def test_dagsters_own_log_reads_the_same(instance: dg.DagsterInstance) -> None:
    result = dg.materialize([counted], instance=instance)
    own = dagsters(instance)
    told, found = (log.get_logs_for_run(result.run_id) for log in (instance.event_log_storage, own))
    assert list(told) == list(found)
    assert len(found) > 10
    assert latest(own) == latest(instance.event_log_storage) == dg.MetadataValue.int(3)


def test_many_runs_are_told_apart(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketing_platform.defs.event_log._MOST_RUNS", 2)
    runs = [dg.materialize([counted], instance=instance).run_id for _ in range(4)]
    for run_id in (*runs, *runs):
        assert {entry.run_id for entry in instance.all_logs(run_id)} == {run_id}


def test_whoever_watches_a_run_hears_of_what_another_process_stores(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(dg.materialize([counted], instance=instance).job_def)
    heard = threading.Event()

    def hear(entry: dg.EventLogEntry, _cursor: str) -> None:
        if entry.message == "told":
            heard.set()

    watching = dagsters(instance)
    watching.watch(run.run_id, None, hear)
    try:
        instance.report_engine_event("told", run)
        assert heard.wait(30)
    finally:
        watching.end_watch(run.run_id, hear)
        watching.dispose()


def test_what_was_wiped_is_gone_and_the_next_run_is_kept(instance: dg.DagsterInstance) -> None:
    first = dg.materialize([counted], instance=instance).run_id
    instance.event_log_storage.wipe()
    assert not instance.all_logs(first)
    second = dg.materialize([counted], instance=instance).run_id
    assert instance.all_logs(second)
    assert latest(dagsters(instance)) == dg.MetadataValue.int(3)
