"""Each server stops while the pipeline writes to it and the API reads from it, and comes back.

All of it happens to one installation and one running API: a fault must leave nothing behind for the next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from marketing_platform.defs.progress import Progress
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Finished, Installation
from marketing_platform_tests.acceptance.landed import conversation, csv
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.servers import profile
from marketing_platform_tests.servers.profile import Restartable
from serving.app import create_app

ERROR_FIELDS = {"error_code", "message", "details", "timestamp", "request_id"}
ROUTES = {
    "recommendations": "/recommendations/user-{n}",
    "similar users": "/recommendations/similar-users?user_id=user-{n}",
    "live path": "/recommendations/user-{n}?message=where%20is%20my%20parcel",
    "graph": "/graph/user-campaigns?user_id=user-1&limit={n}",
    "analytics": "/analytics/campaign-performance?limit={n}",
}
# The step at whose start a server is stopped, and the routes that need that server.
STOPS = {
    "Cloud Storage": ("raw_records", set[str]()),
    "MongoDB": ("raw_records", {"recommendations", "similar users", "live path"}),
    "PostgreSQL": ("validate_batches", {"analytics"}),
    "Milvus": ("message_embeddings", {"live path"}),
    "Neo4j": ("knowledge_graph", {"graph", "live path"}),
}
API_SECONDS = 4.0
_ROWS = 60
_HEALTH = "/api/v1/health"
_EVENTS = "SELECT event_id, user_id, campaign_id, message FROM events ORDER BY event_id"


@dataclass
class World:
    """An installation, what landed in it, the servers under it and the API over it."""

    installation: Installation
    twin: Installation  # embedded, runs once over all that landed
    servers: dict[str, Restartable]
    folder: Path
    api: TestClient
    waves: int = 0

    def land(self) -> None:
        """One more small file, here and for the twin."""
        name = f"wave-{self.waves:02d}"
        (self.folder / name).mkdir()
        (self.folder / name / "events.csv").write_text(csv(conversation(name, rows=_ROWS)))
        for installation in (self.installation, self.twin):
            profile.land(installation, self.folder, [f"{name}/events.csv"])
        self.waves += 1

    def run(self, *, stop: Restartable | None = None, at: str | None = None) -> Finished:
        """`marketing-platform run`; stops a server in the moment in which a step begins."""

        def hear(progress: Progress) -> None:
            if stop is not None and progress.step == at:
                stop.stop()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("marketing_platform.cli.run.showing", lambda *_: nullcontext(hear))
            return self.installation.command("run", "--json")

    def ask(self, n: int) -> dict[str, Any]:
        """Every route, about a user whom no cache knows yet; each within the deadline."""
        answers: dict[str, Any] = {}
        for name, route in ROUTES.items():
            began = time.monotonic()
            answers[name] = self.api.get(route.format(n=n))
            took = time.monotonic() - began
            assert took < API_SECONDS + 1, f"{name} took {took:.1f} s"
        return answers

    def await_all(self, release_id: str) -> None:
        """Wait until every route answers from this release."""
        deadline = time.monotonic() + 60
        left: dict[str, Any] = {}
        while time.monotonic() < deadline:
            left = {
                name: answer.text
                for name, answer in self.ask(7).items()
                if answer.headers.get("X-Release-Id") != release_id or answer.status_code != 200
            }
            if not left:
                return
            time.sleep(0.2)
        raise AssertionError(f"not answered from {release_id}: {left}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    (folder / "landed").mkdir()
    twin = profile.installation(folder / "twin", models)
    # The API logs to stdout, where the command's document is.
    with capture_logs(), profile.restartable_servers() as servers, pytest.MonkeyPatch.context() as patch:
        settings = {name: kind.settings(servers[name].server) for name, kind in profile.KINDS.items()}
        profile.tell(patch, profile.environment(*settings.values()))
        installation = profile.installation(
            folder / "servers", models, profile="servers", api_seconds=API_SECONDS
        )
        app = create_app(installation.settings, poll_seconds=0.05)
        with client_of(installation.settings, app, raise_server_exceptions=False) as api:
            made = World(installation, twin, servers, folder / "landed", api)
            made.land()
            assert made.run().code == 0
            made.await_all(installation.release().release_id)
            yield made


def held(installation: Installation) -> set[str]:
    """Every name that a store holds."""
    stores = open_stores(installation.settings)
    kinds = (stores.warehouse, stores.vectors, stores.graphs, stores.answers, stores.reports)
    return {name for kind in kinds for name in kind.names()}


def check_error(answer: Any) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert set(answer.json()) == ERROR_FIELDS


def check_api(world: World, release_id: str, silent: set[str]) -> None:
    """The release before goes on answering, all but the routes whose server is gone."""
    for route, answer in world.ask(3).items():
        if route in silent:
            check_error(answer)
        else:
            assert answer.status_code == 200, (route, answer.text)
            assert answer.headers["X-Release-Id"] == release_id
    health = world.api.get(_HEALTH)
    assert health.status_code == 200
    if silent:
        assert health.json()["status"] == "degraded"


@pytest.mark.parametrize("name", STOPS)
def test_stopped_while_written_to_and_read_from(world: World, name: str) -> None:
    step, needed_by = STOPS[name]
    before = world.installation.release()
    world.land()
    try:
        failed = world.run(stop=world.servers[name], at=step)
        assert failed.code == 1
        assert "Traceback" not in failed.err
        assert name in failed.err
        assert f"MARKETING_{profile.KINDS[name].prefix}_" in failed.err, failed.err
        check_api(world, before.release_id, needed_by)
    finally:
        world.servers[name].start()
    world.await_all(before.release_id)
    resumed = world.run()
    assert resumed.code == 0, resumed.err
    assert resumed.document["rows_landed"] == _ROWS * world.waves
    world.await_all(resumed.document["release_id"])


def test_without_its_cache_everything_goes_on(world: World) -> None:
    world.land()
    world.servers["Redis"].stop()
    assert {answer.status_code for answer in world.ask(5).values()} == {200}
    done = world.run()
    assert done.code == 0, done.err
    world.await_all(done.document["release_id"])
    world.servers["Redis"].start()


def test_afterwards_nothing_is_lost_and_nothing_left_over(world: World) -> None:
    world.twin.run()
    found, expected = profile.counted(world.installation), profile.counted(world.twin)
    for content in ("tables", "vectors", "graphs", "answers", "totals"):
        assert found[content] == expected[content], content
    assert world.installation.query(_EVENTS) == world.twin.query(_EVENTS)
    assert world.installation.command("releases", "collect", "--keep", "1").code == 0
    needed = {name for manifest in world.installation.shelf.list() for name in manifest.stored_names()}
    needed.update(part for batch in world.installation.ledger.batches() for part in batch.parts.values())
    versions = {name.rpartition("__")[2] for name in needed}
    left_over = {name for name in held(world.installation) if name.rpartition("__")[2] not in versions}
    assert left_over == set()
