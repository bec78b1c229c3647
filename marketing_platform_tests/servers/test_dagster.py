"""Dagster on PostgreSQL: the commands of docker-compose.yml as processes, runs side by side, pools."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import time
import urllib.request
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.defs.execution import open_instance, prepare_home
from marketing_platform.defs.jobs import INGEST, PUBLISH, batches_of
from marketing_platform.defs.pools import stored_in
from marketing_platform.releases.ledger import State
from marketing_platform.releases.records import open_records
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.conftest import models
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.deploy import compose
from marketing_platform_tests.servers import postgres, profile
from marketing_platform_tests.servers.base import Running, free_port, started
from marketing_platform_tests.servers.shared import shared

__all__ = ["models"]

_FIRST_RUN_SECONDS = 600
_SECONDS = 300
_PORTS = {name: free_port() for name in ("4000", "8000")}


@dataclass(frozen=True)
class Platform:
    """An installation on servers, and the variables that its processes are given."""

    installation: Installation
    environment: dict[str, str]

    def start(self, service: str, folder: Path, answers: Callable[[], bool]) -> Running:
        return self.stack.enter_context(
            started(
                compose.command(service, _PORTS),
                endpoint=service,
                folder=folder / service,
                answers=answers,
                environment=self.environment,
                seconds=_SECONDS,
            )
        )

    stack: ExitStack


@pytest.fixture
def platform(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Platform]:
    """Sample data has landed; nothing runs yet."""
    variables = profile.environment(*profile.shared_settings().values())
    variables |= {
        "MARKETING_DATA_DIR": str(tmp_path / "data"),
        "MARKETING_SETTLE_SECONDS": "0",
        "DAGSTER_CODE_HOST": "127.0.0.1",
        "DAGSTER_CODE_PORT": str(_PORTS["4000"]),
    }
    profile.tell(monkeypatch, variables)
    installation = profile.installation(tmp_path / "data", models, settle_seconds=0)
    home = prepare_home(installation.settings)
    write_sample(tmp_path / "sample", users=30, events=400)
    profile.land(installation, tmp_path / "sample")
    with ExitStack() as stack:
        yield Platform(installation, {**variables, "DAGSTER_HOME": home}, stack)


def test_batches_are_judged_side_by_side_and_one_release_follows(platform: Platform, tmp_path: Path) -> None:
    _run_first(platform)
    installation = platform.installation
    before = installation.release()
    assert before.profile == "servers"
    instance = platform.stack.enter_context(open_instance(installation.settings))
    made_first = {run.run_id for run in instance.get_runs()}
    platform.start("api", tmp_path, lambda: _health() == before.release_id)
    platform.start("code", tmp_path, lambda: _code_server_answers(platform))
    platform.start("daemon", tmp_path, lambda: _daemon_lives(instance))

    # While something else holds the writer lock, as the nightly collection does, nothing gets ahead of it.
    with open_records(installation.settings).writer.held(shared=False):
        for number in (1, 2):
            _land_events(installation, tmp_path / "sample", number)
            _until(lambda: len(_started(instance, made_first)) == number, f"ingest run {number} starts")  # noqa: B023

    _until(lambda: installation.shelf.current() != before.release_id, "a release follows")
    release = installation.release()
    first, second = _runs(instance, INGEST, made_first)
    assert max(first.start_time, second.start_time) < min(first.end_time, second.end_time), "side by side"
    partitions = instance.get_dynamic_partitions("batches")
    taken = [batch for record in (first, second) for batch in batches_of(record.dagster_run.tags, partitions)]
    landed = [installation.batch(f"events/events-more-{number}.csv") for number in (1, 2)]
    assert sorted(taken) == sorted(batch.batch_id for batch in landed)
    assert {batch.state for batch in landed} == {State.ACCEPTED}
    for batch in landed:
        actions = [event.action for event in installation.ledger.history(batch.batch_id)]
        assert actions.count("accepted") == 1
    assert {batch.batch_id for batch in release.batches} == {
        *(batch.batch_id for batch in before.batches),
        *taken,
    }
    assert release.tables["events"].rows == before.tables["events"].rows + sum(b.rows_valid for b in landed)
    assert len(_runs(instance, PUBLISH, made_first)) == 1
    _until(lambda: _health() == release.release_id, "the API serves it")


def _run_first(platform: Platform) -> None:
    done = subprocess.run(
        compose.command("first-run"),
        env=platform.environment | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=_FIRST_RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def _land_events(installation: Installation, sample: Path, number: int) -> None:
    """Events of the sample once more, under ids of their own."""
    header, *rows = next((sample / "events").glob("*.csv")).read_text().splitlines()
    content = "\n".join([header, *(f"more-{number}-{row}" for row in rows)]) + "\n"
    open_stores(installation.settings).objects.put(f"events/events-more-{number}.csv", [content.encode()])


def _runs(instance: dg.DagsterInstance, job: str, but: set[str]) -> list[dg.RunRecord]:
    records = instance.get_run_records(dg.RunsFilter(job_name=job))
    return [record for record in records if record.dagster_run.run_id not in but]


def _started(instance: dg.DagsterInstance, but: set[str]) -> list[dg.RunRecord]:
    begun = dg.DagsterRunStatus.STARTED
    return [record for record in _runs(instance, INGEST, but) if record.dagster_run.status is begun]


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {_SECONDS} s: {what}"
        time.sleep(0.5)


def _health() -> str:
    url = f"http://127.0.0.1:{_PORTS['8000']}/api/v1/health"
    with urllib.request.urlopen(url, timeout=2) as answer:
        return str(json.load(answer)["release_id"])


def _code_server_answers(platform: Platform) -> bool:
    _, program, *arguments = compose.ours()["code"]["healthcheck"]["test"]
    words = [str(_PORTS.get(word, word)) for word in arguments]
    command = [str(Path(compose.command("code")[0]).with_name(program)), *words]
    asked = subprocess.run(command, env=platform.environment, capture_output=True, check=False)
    return asked.returncode == 0


def _daemon_lives(instance: dg.DagsterInstance) -> bool:
    statuses = instance.get_daemon_statuses()
    return bool(statuses["SENSOR"].healthy and statuses["QUEUED_RUN_COORDINATOR"].healthy)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[dg.DagsterInstance]:
    """The instance of the servers profile, in a schema of its own."""
    profile.tell(monkeypatch, profile.variables(postgres.settings(shared(postgres.running))))
    with open_instance(Settings(profile="servers", data_dir=tmp_path)) as found:
        yield found


def write_once(home: str, pool: str | None) -> tuple[float, float]:
    """One run with one step in a pool, in a process of its own; when the step began and ended."""
    times: list[float] = []

    @dg.asset(pool=pool)
    def written() -> None:
        times.append(time.time())
        time.sleep(4)  # another run that may begin does so meanwhile, on a busy machine as well
        times.append(time.time())

    job = dg.Definitions(
        assets=[written], jobs=[dg.define_asset_job("write")], executor=dg.in_process_executor
    ).resolve_job_def("write")
    with dg.DagsterInstance.from_config(home) as instance:
        assert job.execute_in_process(instance=instance).success
    begun, ended = times
    return begun, ended


def _at_once(instance: dg.DagsterInstance, pool: str | None, runs: int) -> int:
    """How many of several runs' steps of one pool were at work at once."""
    with ProcessPoolExecutor(runs, mp_context=multiprocessing.get_context("spawn")) as processes:
        list(processes.map(time.sleep, [0.5] * runs))  # all of them are there before the first begins
        spans = list(processes.map(write_once, [instance.root_directory] * runs, [pool] * runs))
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)


def test_a_pool_lets_only_so_many_steps_write_at_once(instance: dg.DagsterInstance) -> None:
    assert _at_once(instance, stored_in("graph")["pool"], runs=4) == 2


def test_a_weak_datastore_can_be_given_less(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("graph", 1)
    assert _at_once(instance, stored_in("graph")["pool"], runs=3) == 1


def test_nothing_of_dagster_is_kept_on_disk(instance: dg.DagsterInstance) -> None:
    write_once(instance.root_directory, None)
    assert [path.name for path in Path(instance.root_directory).iterdir()] == ["dagster.yaml"]
