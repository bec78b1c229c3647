"""Records on PostgreSQL when the server, the network or the rights are not as they should be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from marketing_platform.defs.jobs import COLLECT, INGEST, PUBLISH
from marketing_platform.defs.resources import build_resources
from marketing_platform.errors import StoreBusy, StoreUnavailable
from marketing_platform.releases.ledger import Ledger
from marketing_platform.releases.records import in_postgres
from marketing_platform.settings import Settings
from marketing_platform.stores.postgres_settings import PostgresSettings
from marketing_platform.stores.protocols import LandedObject
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.releases.test_pointer import release
from marketing_platform_tests.servers import postgres, profile
from marketing_platform_tests.servers.base import Running
from marketing_platform_tests.servers.clocks import within
from marketing_platform_tests.servers.shared import shared
from marketing_platform_tests.servers.slow_network import slow_network
from marketing_platform_tests.servers.test_postgres_faults import Restartable
from marketing_platform_tests.serving.conftest import USERS, Platform, await_until, encoder
from serving.app import create_app

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def restartable() -> Iterator[Restartable]:
    with ExitStack() as stack:
        yield Restartable(stack)


def ask(server: Running, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(f"{server.endpoint} dbname={postgres.DATABASE}", autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def land(ledger: Ledger, name: str) -> str:
    landed = LandedObject(name, "1", 10, NOW)
    return ledger.register(landed, source="events", content_hash=name, now=NOW)[0]


def test_a_publication_that_landed_although_it_failed_is_found_again(restartable: Restartable) -> None:
    """The connection breaks after the server has committed, and before it says so."""
    server = restartable.server
    shelf = in_postgres(postgres.settings(server)).shelf
    shelf.publish(release("r-1"), expected=None)
    ask(server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")  # commits wait for a standby
    ask(server, "SELECT pg_reload_conf()")
    time.sleep(0.5)
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(shelf.publish, release("r-2"), expected="r-1")
        waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        await_until(lambda: bool(ask(server, f"SELECT 1 {waits}")))
        ask(server, f"SELECT pg_terminate_backend(pid) {waits}")
        publishing.result(timeout=20)
    ask(server, "ALTER SYSTEM RESET synchronous_standby_names")
    ask(server, "SELECT pg_reload_conf()")
    assert [move.to for move in shelf.history()] == ["r-1", "r-2"]
    assert shelf.current() == "r-2"


def test_stopped_and_started_again(restartable: Restartable) -> None:
    records = in_postgres(postgres.settings(restartable.server, connect_seconds=2))
    kept = land(records.ledger, "a.csv")
    with ExitStack() as stack:
        session = stack.enter_context(records.writer.held())
        restartable.stop()
        with within(4), pytest.raises(StoreUnavailable, match=r"PostgreSQL at .* MARKETING_POSTGRES_"):
            records.ledger.batches()
        with within(4), pytest.raises(StoreUnavailable, match="lock"):
            records.writer.held().__enter__()
        records.notices.add("nobody hears this, and nothing fails")
        restartable.start()
        with pytest.raises(StoreUnavailable, match="lock"):
            session.confirm()  # somebody else may have written meanwhile
    assert records.ledger.batch(kept).object == "a.csv"
    with records.writer.held(wait_seconds=5) as session:
        session.confirm()


def test_a_network_that_falls_silent() -> None:
    server = shared(postgres.running)
    with slow_network("127.0.0.1", postgres.settings(server).port) as line, ExitStack() as stack:
        settings = postgres.settings(server, port=line.port, connect_seconds=2, read_seconds=1)
        records = in_postgres(settings)
        kept = land(records.ledger, "a.csv")
        session = stack.enter_context(records.writer.held())
        line.cut.set()
        with within(4), pytest.raises(StoreUnavailable, match="lock"):
            session.confirm()
        with within(4), pytest.raises(StoreUnavailable):
            land(records.ledger, "b.csv")
        with within(4), pytest.raises(StoreUnavailable):
            records.shelf.current()
        line.cut.clear()
        assert [batch.batch_id for batch in records.ledger.batches()] == [kept]
        land(records.ledger, "b.csv")


@pytest.fixture
def roles() -> Iterator[PostgresSettings]:
    """Settings of an owner; beside it the role `onlooker`, which may log in and nothing else."""
    server = shared(postgres.running)
    ask(server, "DROP ROLE IF EXISTS onlooker")
    ask(server, "CREATE ROLE onlooker LOGIN")
    yield postgres.settings(server)
    ask(server, "DROP OWNED BY onlooker")
    ask(server, "DROP ROLE onlooker")


def test_a_missing_right_is_said_with_its_remedy(roles: PostgresSettings) -> None:
    onlooker = in_postgres(roles.model_copy(update={"user": "onlooker"}))
    with pytest.raises(StoreUnavailable, match=r"role 'onlooker' may not .*denied.* Grant it CREATE"):
        onlooker.shelf.current()

    owner = in_postgres(roles)
    owner.shelf.publish(release("r-1"), expected=None)
    with pytest.raises(StoreUnavailable, match="USAGE on the schema"):
        onlooker.shelf.current()

    schema = f"{roles.namespace}_records"
    ask(shared(postgres.running), f"GRANT USAGE ON SCHEMA {schema} TO onlooker")
    ask(shared(postgres.running), f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO onlooker")
    assert onlooker.shelf.current() == "r-1"
    with pytest.raises(StoreUnavailable, match="permission denied"):
        onlooker.shelf.pin("r-1", why="audit", who="me")


def test_ingesting_runs_share_the_lock_and_no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = postgres.settings(shared(postgres.running))
    profile.tell(monkeypatch, profile.variables(given))
    stores = open_stores(Settings(data_dir=tmp_path))
    resources = build_resources(Settings(profile="servers", data_dir=tmp_path), stores=stores)
    beside: list[bool] = []

    @dg.op(required_resource_keys={"writer"})
    def look() -> None:
        try:
            with in_postgres(given).writer.held(shared=True, wait_seconds=0):
                beside.append(True)
        except StoreBusy:
            beside.append(False)

    for name in (INGEST, PUBLISH, COLLECT):

        @dg.job(name=name, resource_defs={"writer": resources["writer"]})
        def job() -> None:
            look()

        assert job.execute_in_process().success
    assert beside == [True, False, False]


def test_the_api_answers_from_the_release_it_holds(restartable: Restartable, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    postgres_settings = postgres.settings(restartable.server, connect_seconds=2, read_seconds=2)
    platform = Platform(settings, open_stores(settings), in_postgres(postgres_settings).shelf)
    platform.publish(1)
    shelf = in_postgres(postgres_settings).shelf
    app = create_app(settings, shelf=shelf, encoder=encoder, poll_seconds=0.05)
    with platform.client(app) as client:

        def health() -> dict[str, object]:
            return client.get("/api/v1/health").json()

        def served() -> tuple[int, str]:
            answer = client.get(f"/recommendations/{USERS[0]}")
            return answer.status_code, answer.json()["release_id"]

        assert served() == (200, "r-gen1")
        restartable.stop()
        await_until(lambda: "PostgreSQL at" in str(health()))
        assert client.get("/api/v1/health").status_code == 200
        for _ in range(20):
            with within(1):
                assert served() == (200, "r-gen1")
        restartable.start()
        await_until(lambda: "PostgreSQL at" not in str(health()))
        platform.publish(2)
        await_until(lambda: served() == (200, "r-gen2"))
