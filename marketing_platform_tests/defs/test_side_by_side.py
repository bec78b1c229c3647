"""The sensors where runs go side by side: nothing is taken twice, nothing waits for ever."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.defs.attempts import being_ingested, side_by_side
from marketing_platform.defs.automation import publish_admitted
from marketing_platform.defs.jobs import INGEST, PUBLISH, batch_ranges, batches_of
from marketing_platform.releases.ledger import Outcome
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.defs.test_new_files import Landing

_BEGUN = dg.DagsterRunStatus.STARTED
_SIDE_BY_SIDE = {"concurrency": {"runs": {"max_concurrent_runs": 4}}}


@pytest.fixture
def landing(tmp_path: Path) -> Generator[Landing]:
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home), overrides=_SIDE_BY_SIDE) as instance:
        settings = Settings(data_dir=tmp_path, settle_seconds=0)
        yield Landing(settings, instance, open_stores(settings))


def begin(landing: Landing, job: str = INGEST) -> list[dg.DagsterRun]:
    """As if the runs that the sensor asks for now had begun."""
    result = landing.look()
    assert isinstance(result, dg.SensorResult), result
    runs = [
        dg.DagsterRun(job_name=job, tags=dict(request.tags), status=_BEGUN)
        for request in result.run_requests or ()
    ]
    for run in runs:
        landing.instance.add_run(run)
    return runs


def end(landing: Landing, run: dg.DagsterRun) -> None:
    """As if a run had ended well, all its batches judged."""
    partitions = landing.instance.get_dynamic_partitions("batches")
    for batch in batches_of(run.tags, partitions):
        landing.ledger.judge(batch, Outcome(1, 1, 0, {}, (), {}), now=datetime.now(UTC))
    landing.instance.report_run_canceled(run)


def publishing(landing: Landing) -> dg.RunRequest | str:
    """What `publish_admitted` asks for, or why it does not."""
    records = open_records(landing.settings)
    context = dg.build_sensor_context(
        instance=landing.instance, resources={"ledger": records.ledger, "shelf": records.shelf}
    )
    result = publish_admitted(context)
    return result if isinstance(result, dg.RunRequest) else str(getattr(result, "skip_message", result))


def test_it_depends_on_the_run_queue(landing: Landing) -> None:
    assert side_by_side(landing.instance)
    with dg.DagsterInstance.ephemeral() as alone:
        assert not side_by_side(alone)


def test_a_new_file_does_not_wait_for_what_is_being_judged(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    begin(landing)
    landing.write("events-2.csv", "b\n")
    assert landing.asks() == [("events/events-2.csv",)]


def test_what_a_run_has_taken_is_not_asked_for_again(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.write("events-2.csv", "b\n")
    begin(landing)
    assert landing.skips() == "2 batch(es) are being judged"
    assert len(being_ingested(landing.instance)) == 2


def test_runs_of_one_partition_are_known_too(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    (run,) = begin(landing)
    partitions = landing.instance.get_dynamic_partitions("batches")
    assert list(batches_of({"dagster/partition": partitions[0]}, partitions)) == partitions
    assert batches_of(run.tags, []) == ()
    assert batches_of({}, partitions) == ()


def test_what_a_run_left_is_asked_for_once_it_has_ended(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    (run,) = begin(landing)
    landing.instance.report_run_failed(run)
    landing.write("events-2.csv", "b\n")
    assert landing.asks() == [("events/events-1.csv", "events/events-2.csv")]


@pytest.mark.parametrize("job", [INGEST, PUBLISH])
def test_a_release_waits_for_what_is_under_way(landing: Landing, job: str) -> None:
    landing.write("events-1.csv", "a\n")
    landing.look()
    landing.judge_all()
    landing.write("events-2.csv", "b\n")
    (run,) = begin(landing, job)
    assert publishing(landing) == (
        "batches are still being judged" if job == INGEST else "a run is under way"
    )
    end(landing, run)
    assert isinstance(publishing(landing), dg.RunRequest)


def test_a_release_does_not_wait_for_ever(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    landing.write("events-1.csv", "a\n")
    landing.look()
    landing.judge_all()
    landing.write("events-2.csv", "b\n")
    begin(landing)
    assert publishing(landing) == "batches are still being judged"
    monkeypatch.setattr("marketing_platform.defs.automation._LONGEST_WAIT", timedelta(0))
    assert isinstance(publishing(landing), dg.RunRequest)


def test_ranges_and_batches_are_the_two_directions_of_one_thing() -> None:
    partitions = [f"b{number}" for number in range(9)]
    wanted = ["b1", "b2", "b3", "b5", "b8"]
    found = [batch for tags in batch_ranges(wanted, partitions) for batch in batches_of(tags, partitions)]
    assert found == wanted
