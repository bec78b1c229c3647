"""Runs that signed calls asked for: started once, and one for all who waited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.defs.asked import CALL, asked_sensors
from marketing_platform.defs.jobs import PUBLISH
from marketing_platform.releases.calls import Call, Calls, RunAsked
from marketing_platform.releases.records import in_folder

NOW = datetime.now(UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return in_folder(tmp_path).calls


def ask(calls: Calls, name: str, *, at: datetime = NOW) -> None:
    call = Call("hook", name, 0, "f", at, "{}")
    calls.note(replace(call, call_id=name), run=RunAsked(name, PUBLISH, at))


def look(calls: Calls, instance: dg.DagsterInstance) -> dg.RunRequest | str:
    """What the sensor of `publish` asks for, or why it does not."""
    (sensor,) = [one for one in asked_sensors() if one.name == "publish_asked"]
    result = sensor(dg.build_sensor_context(instance=instance, resources={"calls": calls}))
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result if isinstance(result, dg.RunRequest) else str(result.skip_message)


def test_calls_that_wait_share_one_run(calls: Calls, instance: dg.DagsterInstance) -> None:
    assert look(calls, instance) == "no call waits"
    ask(calls, "first")
    ask(calls, "second")
    request = look(calls, instance)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "first"

    # Killed before the daemon made a run of it: it is asked for again, under the same key.
    again = look(calls, instance)
    assert isinstance(again, dg.RunRequest)
    assert again.run_key == request.run_key

    run = instance.add_run(dg.DagsterRun(job_name=PUBLISH, tags={CALL: "first"}))
    ask(calls, "later", at=NOW + timedelta(hours=1))
    assert look(calls, instance) == f"run {run.run_id} was started"
    next_one = look(calls, instance)
    assert isinstance(next_one, dg.RunRequest)
    assert next_one.run_key == "later"
