"""The sensor on the landing zone, folder and bucket, with real ledger, stores and instance."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.defs.attempts import ROUND, WORK, Attempts
from marketing_platform.defs.automation import new_files
from marketing_platform.releases.ledger import Outcome
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import Stores, open_stores
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared

_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
MANY = 210
_EVENTS = "event_id,user_id,occurred_at,event_type,campaign_id,channel,message\n"


class Landing:
    """A landing zone and the sensor that looks at it."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, stores: Stores) -> None:
        self.settings = settings
        self.instance = instance
        self.stores = stores
        records = open_records(settings)
        self.ledger, self.notices = records.ledger, records.notices
        self.cursor: str | None = None

    def write(self, name: str, content: str) -> None:
        self.stores.objects.put(f"events/{name}", [(_EVENTS + content).encode()])

    def look(self) -> dg.SensorResult | dg.SkipReason:
        """What one evaluation comes to; partitions that it adds are added."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={
                "settings": self.settings,
                "stores": self.stores,
                "ledger": self.ledger,
                "notices": self.notices,
            },
        )
        result = new_files(context)
        self.cursor = context.cursor
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        if isinstance(result, dg.SensorResult):
            for request in result.dynamic_partitions_requests or ():
                self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        return result

    def asks(self) -> list[tuple[str, ...]]:
        """The names of the objects that each requested run takes, first to last."""
        result = self.look()
        assert isinstance(result, dg.SensorResult), result
        partitions = self.instance.get_dynamic_partitions("batches")
        runs: list[tuple[str, ...]] = []
        for request in result.run_requests or ():
            first, last = (partitions.index(request.tags[tag]) for tag in _RANGE)
            runs.append(tuple(name.partition("@")[0] for name in partitions[first : last + 1]))
        return runs

    def skips(self) -> str:
        """Why it asks for nothing."""
        result = self.look()
        assert isinstance(result, dg.SkipReason), result
        return str(result.skip_message)

    def judge_all(self) -> None:
        """As if a run had judged everything that waits."""
        for batch in self.ledger.pending():
            self.ledger.judge(batch.batch_id, Outcome(1, 1, 0, {}, (), {}), now=datetime.now(UTC))

    def fail(self, *, minutes_ago: float) -> None:
        """As if the runs that the sensor asks for now were made and failed some minutes ago."""
        result = self.look()
        assert isinstance(result, dg.SensorResult), result
        for request in result.run_requests or ():
            run = dg.DagsterRun(job_name="ingest", tags=dict(request.tags))
            self.instance.add_run(run)
            failure = dg.DagsterEvent(
                event_type_value=dg.DagsterEventType.RUN_FAILURE.value, job_name="ingest", message="broke"
            )
            moment = datetime.now(UTC) - timedelta(minutes=minutes_ago)
            self.instance.report_dagster_event(failure, run.run_id, timestamp=moment.timestamp())


@pytest.fixture
def in_folder(tmp_path: Path) -> Generator[Landing]:
    settings = Settings(data_dir=tmp_path, settle_seconds=0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Landing(settings, instance, open_stores(settings))


@pytest.fixture(params=["folder", "bucket"] if WITH_SERVERS else ["folder"])
def landing(request: pytest.FixtureRequest, in_folder: Landing) -> Landing:
    if request.param == "bucket":
        from marketing_platform.stores.objects_gcs import GcsObjects
        from marketing_platform_tests.servers import gcs

        bucket = GcsObjects(gcs.settings(shared(gcs.running), page_size=50))
        in_folder.stores = replace(in_folder.stores, objects=bucket)
    return in_folder


def test_an_empty_folder_asks_for_nothing(landing: Landing) -> None:
    assert landing.skips() == "nothing new has landed"


def test_files_that_arrive_together_run_together(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.write("events-2.csv", "b\n")
    assert landing.asks() == [("events/events-1.csv", "events/events-2.csv")]


def test_what_is_judged_is_not_asked_for_again(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.look()
    landing.judge_all()
    assert landing.skips() == "nothing new has landed"


def test_an_overwritten_file_is_a_new_batch(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.look()
    landing.judge_all()
    landing.write("events-1.csv", "b\n")
    assert landing.asks() == [("events/events-1.csv",)]
    assert len(landing.ledger.batches()) == 2


@pytest.mark.parametrize("year", [1999, 2099])
def test_the_age_of_a_file_does_not_matter(in_folder: Landing, year: int) -> None:
    in_folder.write("events-1.csv", "a\n")
    in_folder.look()
    in_folder.judge_all()
    in_folder.write("events-0.csv", "old or from the future\n")
    moment = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    os.utime(in_folder.settings.landing_dir / "events" / "events-0.csv", (moment, moment))
    assert in_folder.asks() == [("events/events-0.csv",)]


def test_what_lands_at_once_is_taken_over_several_looks(landing: Landing) -> None:
    for number in range(MANY):
        landing.write(f"events-{number:04}.csv", f"{number}\n")
    landed: list[int] = []
    while not landed or landed[-1] < MANY:
        landing.look()
        landed.append(len(landing.ledger.batches()))
    assert landed == [200, MANY]
    landing.judge_all()
    landing.write("events-0100.csv", "another version\n")
    assert landing.asks() == [("events/events-0100.csv",)]


def test_a_copy_of_a_known_file_changes_nothing(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.look()
    landing.judge_all()
    landing.write("events-2.csv", "a\n")
    assert landing.skips() == "nothing new has landed"
    assert len(landing.ledger.batches()) == 1


def test_a_file_that_is_still_written_waits(landing: Landing) -> None:
    landing.settings = landing.settings.model_copy(update={"settle_seconds": 60})
    landing.write("events-1.csv", "half a fi")
    assert landing.skips() == "still being written: events/events-1.csv"
    assert landing.ledger.batches() == []


def test_an_undeclared_file_is_told_once(landing: Landing) -> None:
    landing.stores.objects.put("holiday.jpg", [b"\xff\xd8"])
    for _ in range(3):
        assert "no source declares holiday.jpg" in landing.skips()
    assert len(_notices(landing)) == 1


def test_a_broken_source_stops_nothing_but_ingestion_and_is_told_once(
    landing: Landing, tmp_path: Path
) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "events.yaml").write_text("source: events\npath: [not, a, pattern\n")
    landing.settings = landing.settings.model_copy(update={"sources_dir": sources})
    landing.write("events-1.csv", "a\n")
    for _ in range(3):
        assert "events.yaml" in landing.skips()
    (notice,) = _notices(landing)
    assert "nothing is ingested until this is mended" in notice


def test_while_a_run_is_under_way_nothing_is_asked_for(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.instance.add_run(dg.DagsterRun(job_name="publish", status=dg.DagsterRunStatus.STARTED))
    assert landing.skips() == "1 batch(es) wait for the run that is under way"


def test_after_a_failure_it_waits_and_then_tries_each_alone(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.write("events-2.csv", "b\n")
    landing.fail(minutes_ago=0)
    assert "2 batch(es) could not be judged 1 time(s)" in landing.skips()


def test_the_second_round_takes_each_batch_alone(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.write("events-2.csv", "b\n")
    landing.fail(minutes_ago=2)
    result = landing.look()
    assert isinstance(result, dg.SensorResult)
    assert landing.asks() == [("events/events-1.csv",), ("events/events-2.csv",)]
    assert {request.tags[ROUND] for request in result.run_requests or ()} == {"2"}


def test_a_new_file_does_not_wait_for_one_that_failed(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.fail(minutes_ago=0)
    landing.write("events-2.csv", "b\n")
    assert landing.asks() == [("events/events-1.csv", "events/events-2.csv")]


def test_batches_between_those_that_wait_are_left_alone(landing: Landing) -> None:
    landing.write("events-1.csv", "a\n")
    landing.fail(minutes_ago=0)
    landing.write("events-2.csv", "b\n")
    landing.look()
    (first, second) = landing.ledger.pending()
    landing.judge_all()
    with sqlite3.connect(landing.settings.data_dir / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE batches SET state = 'landed' WHERE batch_id = ?", (first.batch_id,))
    landing.write("events-3.csv", "c\n")
    assert landing.asks() == [("events/events-1.csv",), ("events/events-3.csv",)]
    assert second.batch_id not in {batch.batch_id for batch in landing.ledger.pending()}


@pytest.mark.parametrize(("rounds", "minutes"), [(1, 1), (2, 2), (5, 16), (7, 60), (500, 60)])
def test_pauses_double_up_to_an_hour(rounds: int, minutes: int) -> None:
    ended = datetime(2026, 1, 1, tzinfo=UTC)
    tried = Attempts("work", rounds, None, ended)
    assert tried.again_at == ended + timedelta(minutes=minutes)
    assert not tried.waits()
    assert replace(tried, ended=datetime.now(UTC)).waits()
    assert tried.tags() == {WORK: "work", ROUND: str(rounds + 1)}


def _notices(landing: Landing) -> list[str]:
    return (landing.settings.data_dir / "notices.jsonl").read_text().splitlines()
