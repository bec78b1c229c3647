"""When a release is asked for, made, refused and gone back from, on one that was made for real."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.definitions import build_definitions
from marketing_platform.defs.automation import nightly_refresh, publish_admitted, run_failed
from marketing_platform.defs.execution import Pipeline, RunFailed
from marketing_platform.defs.jobs import PUBLISH
from marketing_platform.releases.ledger import Batch, State
from marketing_platform.releases.records import open_records
from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.slow

_BROKEN = "event_id,user_id,occurred_at,event_type,campaign_id,channel,message\nx,u,someday,view,c,ad,\n"


def asks(installation: Installation, instance: dg.DagsterInstance) -> dg.RunRequest | str:
    """What `publish_admitted` asks for, or why it does not."""
    resources = {"ledger": installation.ledger, "shelf": installation.shelf}
    result = publish_admitted(dg.build_sensor_context(instance=instance, resources=resources))
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result if isinstance(result, dg.RunRequest) else str(result.skip_message)


def nightly(installation: Installation) -> dg.RunRequest | str:
    """What the nightly schedule asks for, or why it does not."""
    resources = {
        "settings": installation.settings,
        "ledger": installation.ledger,
        "shelf": installation.shelf,
    }
    result = nightly_refresh(dg.build_schedule_context(resources=resources))
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result if isinstance(result, dg.RunRequest) else str(result.skip_message)


def hold_a_batch(installation: Installation, instance: dg.DagsterInstance) -> Batch:
    """Land a file without one valid row, and judge it."""
    installation.land("events/events-broken.csv", _BROKEN)
    pipeline = Pipeline(installation.settings, instance, lambda _: None)
    pipeline.ingest(pipeline.take().batches)
    held = installation.batch("events/events-broken.csv")
    assert held.state is State.HELD
    return held


def publish_next(installation: Installation) -> str:
    """As if a release of what is admitted now had been made; returns its id."""
    release = installation.release()
    decided = {batch.batch_id: batch for batch in installation.ledger.admitted()}
    known = {entry.batch_id: entry for entry in release.batches}
    template = release.batches[0]
    batches = tuple(
        known.get(batch_id)
        or template.model_copy(
            update={
                "batch_id": batch_id,
                "rows_valid": batch.rows_valid,
                "decision": batch.state.value,
            }
        )
        for batch_id, batch in decided.items()
    )
    shelf = installation.shelf
    newer = release.model_copy(
        update={
            "release_id": shelf.next_release_id(datetime.now(UTC)),
            "created_at": datetime.now(UTC),
            "previous": release.release_id,
            "batches": batches,
        }
    )
    shelf.publish(newer, expected=release.release_id)
    return newer.release_id


def test_a_release_of_the_admitted_batches_is_not_made_again(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    current = installation.shelf.current()
    assert asks(installation, instance) == f"release {current} is made of the admitted batches"
    assert nightly(installation) == f"release {current} is made of the admitted batches"


def test_a_held_batch_asks_for_no_release_until_it_is_accepted_on_purpose(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    held = hold_a_batch(installation, instance)
    assert "is made of the admitted batches" in str(asks(installation, instance))

    installation.ledger.accept(held.batch_id, why="for the test", who="tester", now=datetime.now(UTC))
    assert isinstance(asks(installation, instance), dg.RunRequest)
    assert isinstance(nightly(installation), dg.RunRequest)


def test_a_rollback_is_not_undone(installation: Installation, instance: dg.DagsterInstance) -> None:
    before = installation.shelf.current()
    assert before is not None
    held = hold_a_batch(installation, instance)
    installation.ledger.accept(held.batch_id, why="for the test", who="tester", now=datetime.now(UTC))
    newer = publish_next(installation)
    installation.shelf.move(before, expected=newer, why="for the test", who="tester")

    told = f"release {newer} is made of the admitted batches; the pointer was moved to {before}"
    assert asks(installation, instance) == told
    assert nightly(installation) == told


def test_a_batch_that_waits_for_its_judgement_comes_first(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    held = hold_a_batch(installation, instance)
    installation.ledger.accept(held.batch_id, why="for the test", who="tester", now=datetime.now(UTC))
    installation.land("events/events-next.csv", _BROKEN.replace("x,", "y,"))
    Pipeline(installation.settings, instance, lambda _: None).take()
    assert asks(installation, instance) == "batches are still being judged"


def test_while_a_run_is_under_way_nothing_is_asked_for(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    instance.add_run(dg.DagsterRun(job_name="collect", status=dg.DagsterRunStatus.STARTED))
    assert asks(installation, instance) == "a run is under way"


def test_a_new_version_of_the_rules_is_published_at_night(installation: Installation, tmp_path: Path) -> None:
    changed = with_impossible_rule(installation, tmp_path)
    assert isinstance(nightly(changed), dg.RunRequest)


def with_impossible_rule(installation: Installation, tmp_path: Path) -> Installation:
    """The same installation under expectations whose one rule on users nobody can keep."""
    expectations = tmp_path / "expectations"
    shutil.copytree(PROJECT_DIR / "expectations", expectations)
    suite = json.loads((expectations / "users.json").read_text())
    (rule,) = (entry for entry in suite["expectations"] if entry["meta"].get("level") == "table")
    bounds = rule["kwargs"]
    bounds.update({name: -1 for name in ("min_value", "max_value") if name in bounds})
    (expectations / "users.json").write_text(json.dumps(suite))
    settings = installation.settings.model_copy(update={"expectations_dir": expectations})
    return Installation(settings)


def test_a_failing_table_check_stops_the_run_and_the_release_before_goes_on_serving(
    installation: Installation, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    before = installation.shelf.current()
    strict = with_impossible_rule(installation, tmp_path)
    with pytest.raises(RunFailed, match="check users_ids_unique of users failed"):
        Pipeline(strict.settings, instance, lambda _: None).publish()
    assert strict.shelf.current() == before
    assert [manifest.release_id for manifest in strict.shelf.list()] == [before]

    (run,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    run_failed(_failure(instance, run, strict))
    *_, notice = open_records(strict.settings).notices.after(0)[0]
    assert f"release {before} goes on serving" in notice.message
    assert "check users_ids_unique of users failed" in notice.message
    assert notice.details["run_id"] == run.run_id
    assert notice.details["serving"] == before

    # The run told the outbox as it failed; the sensor tells it again, to no effect.
    outbox = open_records(strict.settings).outbox
    outbox.look(datetime.now(UTC), back=timedelta(hours=1))
    outbox.address({"release.blocked": ["a"]}, now=datetime.now(UTC))
    (delivery,) = outbox.deliveries()
    told = json.loads(delivery.event.body)["data"]
    assert (told["run_id"], told["serving"]) == (run.run_id, before)
    assert "check users_ids_unique of users failed" in told["failed"][0]


def _failure(
    instance: dg.DagsterInstance, run: dg.DagsterRun, installation: Installation
) -> dg.RunFailureSensorContext:
    records = open_records(installation.settings)
    (event,) = (
        entry.dagster_event
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        if entry.dagster_event
    )
    return dg.build_run_status_sensor_context(
        sensor_name="run_failed",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=run,
        resources={"shelf": installation.shelf, "notices": records.notices, "outbox": records.outbox},
    ).for_run_failure()


def test_a_release_is_refused_when_a_check_was_skipped(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    before = installation.shelf.current()
    job = build_definitions(installation.settings).resolve_job_def(PUBLISH)
    without_checks = job.get_subset(
        asset_selection=job.asset_layer.selected_asset_keys, asset_check_selection=set()
    )
    result = without_checks.execute_in_process(instance=instance, raise_on_error=False)

    (failed,) = result.get_step_failure_events()
    assert failed.step_key == "release"
    error = failed.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    assert "check users_ids_unique of users judged materialization" in error.cause.message
    assert installation.shelf.current() == before
