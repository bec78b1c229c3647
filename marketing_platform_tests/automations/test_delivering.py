"""From what happened to what arrives: retries, dead letters, replay, and kills in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from marketing_platform.analytics.kpis.anomalies import Anomaly
from marketing_platform.automations.declared import load_automations
from marketing_platform.automations.delivering import Deliverer
from marketing_platform.automations.found import blocked
from marketing_platform.automations.opening import ANOMALIES, open_deliverer
from marketing_platform.automations.signing import new_secret
from marketing_platform.automations.webhook_settings import WebhookSettings
from marketing_platform.errors import AutomationError, StoreUnavailable
from marketing_platform.releases.ledger import Outcome
from marketing_platform.releases.manifest import Manifest, ReportEntry, Totals
from marketing_platform.releases.outbox import OutboxEvent
from marketing_platform.releases.records import Records, open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import LandedObject
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import command
from marketing_platform_tests.automations.receiver import Receiver, receiving
from marketing_platform_tests.servers.base import free_port
from serving.app import create_app

pytestmark = pytest.mark.slow

SECRET = new_secret()
EVENTS = "[release.published, release.blocked, batch.quarantined, kpi.anomaly]"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MARKETING_WEBHOOK_SECRET_A", SECRET)
    monkeypatch.setenv("MARKETING_WEBHOOKS_ALLOWED_HOSTS", '["127.0.0.1"]')
    monkeypatch.setenv("MARKETING_WEBHOOKS_FIRST_WAIT_SECONDS", "0.01")
    monkeypatch.setenv("MARKETING_WEBHOOKS_ANSWER_SECONDS", "1")
    monkeypatch.setenv("MARKETING_AUTOMATIONS_DIR", str(tmp_path))
    monkeypatch.setenv("MARKETING_DATA_DIR", str(tmp_path / "data"))
    return Settings(data_dir=tmp_path / "data", automations_dir=tmp_path)  # pyright: ignore[reportCallIssue]


def declare(settings: Settings, *urls: str) -> None:
    lines = [
        f"  - {{name: {name}, url: '{url}', events: {EVENTS}}}" for name, url in zip("ab", urls, strict=False)
    ]
    (settings.automations_dir / "webhooks.yaml").write_text("\n".join(["endpoints:", *lines, ""]))


def deliver(settings: Settings) -> None:
    asyncio.run(open_deliverer(settings).run(once=True))


def until_settled(settings: Settings) -> None:
    """Deliver again and again until nothing waits."""
    for _ in range(40):
        deliver(settings)
        if not open_records(settings).outbox.deliveries(state="waiting"):
            return
        time.sleep(0.05)
    raise AssertionError("deliveries still wait")


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in receiver.got]


def subject(data: dict[str, Any]) -> str | None:
    return data.get("object") or data.get("run_id")


def judge(records: Records, name: str, *, refused: int, failed: tuple[str, ...] = ()) -> None:
    now = datetime.now(UTC)
    landed = LandedObject(name=name, generation="1", updated_at=now, size=1)
    batch, _ = records.ledger.register(landed, source="shop", content_hash=name, now=now)
    outcome = Outcome(10, 10 - refused, refused, {"no user": refused}, failed, {})
    records.ledger.judge(batch, outcome, now=now)


def publish(settings: Settings, number: int, anomalies: list[Anomaly] | None = None) -> str:
    """A release of which nothing is kept but its manifest and its anomalies."""
    shelf = open_records(settings).shelf
    reports: dict[str, ReportEntry] = {}
    if anomalies is not None:
        found = [{**vars(one), "day": str(one.day)} for one in anomalies]
        open_stores(settings).reports.write(f"anomalies_{number}", {"anomalies": found})
        reports[ANOMALIES] = ReportEntry(name=f"anomalies_{number}")
    totals = dict.fromkeys(Totals.model_fields, number)
    manifest = Manifest(
        release_id=f"r-{number}",
        created_at=datetime.now(UTC),
        previous=shelf.current(),
        run_id=f"run-{number}",
        code_version="0",
        profile="embedded",
        totals=Totals(**totals),
        batches=(),
        tables={},
        vectors={},
        graphs={},
        answers={},
        reports=reports,
        checks=(),
    )
    shelf.publish(manifest, expected=shelf.current())
    return manifest.release_id


def test_what_happened_is_told_as_documented_and_once(settings: Settings) -> None:
    records = open_records(settings)
    with receiving() as receiver:
        declare(settings, receiver.url)
        judge(records, "good.csv", refused=0)
        judge(records, "some.csv", refused=3)
        judge(records, "bad.csv", refused=9, failed=("share_valid",))
        odd = Anomaly("spend", "country", None, date(2026, 11, 20), 900.0, 100.0, 50.0, 150.0, "EUR")
        first = publish(settings, 1, [odd])
        records.outbox.add([blocked("run-9", datetime.now(UTC), failed=["check x failed"], serving=first)])
        deliver(settings)
        told = {
            (one["type"], one["data"].get("object") or one["data"].get("run_id")) for one in bodies(receiver)
        }
        assert told == {
            ("batch.quarantined", "some.csv"),
            ("batch.quarantined", "bad.csv"),
            ("release.published", None),
            ("kpi.anomaly", None),
            ("release.blocked", "run-9"),
        }
        publish(settings, 2, [odd])  # the anomaly is in the next release as well
        records.shelf.move(first, expected="r-2", why="prices are wrong", who="tester")
        deliver(settings)
        deliver(settings)
        assert [one["data"]["release_id"] for one in bodies(receiver)[5:]] == ["r-2"]
        assert len(set(receiver.verified(SECRET))) == 6
        document = create_app(settings).openapi()
        for one in bodies(receiver):
            described = document["webhooks"][one["type"]]["post"]["requestBody"]["content"]
            schema = {**described["application/json"]["schema"], "components": document["components"]}
            jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(one)
        (held,) = [one["data"] for one in bodies(receiver) if one["data"].get("object") == "bad.csv"]
        assert (held["decision"], held["rows_quarantined"], held["failed"]) == ("held", 9, ["share_valid"])


def test_a_report_that_cannot_be_read_hides_no_release(settings: Settings) -> None:
    with receiving() as receiver:
        declare(settings, receiver.url)
        publish(settings, 1, [])
        open_stores(settings).reports.write("anomalies_1", {"anomalies": [{"kpi": "spend"}]})
        publish(settings, 2, [])
        open_stores(settings).reports.drop("anomalies_2")
        deliver(settings)
        assert {one["data"]["release_id"] for one in bodies(receiver)} == {"r-1", "r-2"}


def test_a_delivery_is_tried_again_under_the_same_id_until_it_arrives(settings: Settings) -> None:
    with receiving(500, "hang up", "slow head", 302) as receiver:
        declare(settings, receiver.url)
        publish(settings, 1)
        until_settled(settings)
        assert len(receiver.verified(SECRET)) == 5
        assert len(set(receiver.verified(SECRET))) == 1
    assert open_records(settings).outbox.counts() == {("a", "delivered"): 1}


def test_a_receiver_that_is_down_holds_up_nobody_else(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETING_WEBHOOK_SECRET_B", SECRET)
    monkeypatch.setenv("MARKETING_WEBHOOKS_FIRST_WAIT_SECONDS", "60")
    with receiving("slow head") as slow, receiving() as quick:
        declare(settings, slow.url, quick.url)
        publish(settings, 1)
        deliver(settings)
        assert len(quick.got) == 1
    assert open_records(settings).outbox.counts() == {("a", "waiting"): 1, ("b", "delivered"): 1}


def test_after_the_last_attempt_it_is_a_dead_letter_that_can_be_replayed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETING_WEBHOOKS_ATTEMPTS", "3")
    with receiving(*[500] * 3) as receiver:
        declare(settings, receiver.url)
        publish(settings, 1)
        until_settled(settings)
        assert len(receiver.got) == 3
        (dead,) = command("webhooks", "dead", "--json").document
        assert (dead["endpoint"], dead["attempts"], dead["problem"]) == ("a", 3, "status 500")
        assert json.loads(dead["body"])["data"]["release_id"] == "r-1"
        assert "1 dead letters" in command("webhooks", "dead").out
        deliver(settings)
        assert len(receiver.got) == 3

        assert command("webhooks", "replay").code == 2
        assert command("webhooks", "replay", "msg_unknown").code == 1
        assert command("webhooks", "replay", "--all").out == "1 deliveries are due again\n"
        assert command("webhooks", "deliver", "--once").code == 0
        assert set(receiver.verified(SECRET)) == {dead["event_id"]}
        assert len(receiver.got) == 4
        named = command("webhooks", "replay", dead["event_id"], "--json").document
        assert named == [{"event_id": dead["event_id"], "endpoint": "a"}]


def test_gone_means_never_again(settings: Settings) -> None:
    with receiving(410) as receiver:
        declare(settings, receiver.url)
        publish(settings, 1)
        until_settled(settings)
    (dead,) = open_records(settings).outbox.deliveries(state="dead")
    assert (dead.attempts, dead.problem) == (1, "status 410")


def test_a_busy_receiver_says_when_to_come_back(settings: Settings) -> None:
    with receiving(503) as receiver:
        receiver.headers["Retry-After"] = "3600"
        declare(settings, receiver.url)
        publish(settings, 1)
        deliver(settings)
    (waiting,) = open_records(settings).outbox.deliveries()
    assert timedelta(minutes=59) < waiting.next_at - datetime.now(UTC) < timedelta(minutes=61)


def test_waits_grow_to_hours_and_differ() -> None:
    declared = WebhookSettings()
    waits = [declared.wait_after(attempt).total_seconds() for attempt in range(1, 12)]
    assert 4 <= waits[0] <= 6
    assert 0.8 * 6 * 3600 <= waits[-1] <= 1.2 * 6 * 3600
    assert 12 * 3600 < sum(waits) < 48 * 3600
    assert len({declared.wait_after(3) for _ in range(20)}) > 1
    assert declared.wait_after(10**9).total_seconds() <= 1.2 * 6 * 3600


def test_what_happened_while_nobody_delivered_is_told_when_somebody_does(settings: Settings) -> None:
    """A crash between the publication and its delivery: all that is left is the release itself."""
    publish(settings, 1)
    with receiving() as receiver:
        declare(settings, receiver.url)
        deliver(settings)
        assert [one["data"]["release_id"] for one in bodies(receiver)] == ["r-1"]
        publish(settings, 2)
        publish(settings, 3)
        deliver(settings)
        assert {one["data"]["release_id"] for one in bodies(receiver)[1:]} == {"r-2", "r-3"}


@pytest.mark.parametrize("answer", ["slow head", 200])
def test_killed_at_once_it_goes_on_where_it_was(settings: Settings, answer: int | str) -> None:
    """While it waits for an answer, or right after one: told once more at worst, never not at all."""
    with receiving(answer) as receiver:
        declare(settings, receiver.url)
        publish(settings, 1)
        first = start(settings)
        await_that(lambda: receiver.got)
        first.send_signal(signal.SIGKILL)
        first.wait(30)
        second = start(settings)
        outbox = open_records(settings).outbox
        await_that(lambda: outbox.counts() == {("a", "delivered"): 1})
        second.terminate()
        second.wait(30)
        assert 1 <= len(receiver.verified(SECRET)) <= 2
        assert len(set(receiver.verified(SECRET))) == 1


def start(settings: Settings) -> subprocess.Popen[bytes]:
    program = "from marketing_platform.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "webhooks", "deliver"],
        env={**os.environ, "MARKETING_DATA_DIR": str(settings.data_dir)},
    )


def await_that(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_ends_well_when_told_to(settings: Settings) -> None:
    with receiving() as receiver:
        declare(settings, receiver.url)
        publish(settings, 1)
        process = start(settings)
        await_that(lambda: receiver.got)
        process.terminate()
        assert process.wait(10) == 0
    assert open_records(settings).outbox.counts() == {("a", "delivered"): 1}


@pytest.mark.parametrize("moment", range(20))
def test_told_at_any_moment_it_ends_and_leaves_nothing_half_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """While it looks, claims, waits for an answer or for the next look: within what a delivery may take."""
    monkeypatch.setenv("MARKETING_WEBHOOKS_ANSWER_SECONDS", "0.2")
    with receiving(*["slow head", 200] * 5) as receiver:
        declare(settings, receiver.url)
        events = [OutboxEvent(f"msg_{n}", "release.published", datetime.now(UTC), "{}") for n in range(10)]
        open_records(settings).outbox.add(events)

        async def told() -> float:
            deliverer = open_deliverer(settings)
            task = asyncio.create_task(deliverer.run())
            await asyncio.sleep(moment * 0.03)
            deliverer.end()
            since = time.monotonic()
            await asyncio.wait_for(task, 20)
            return time.monotonic() - since

        assert asyncio.run(told()) < 5
        assert sum(one.attempts for one in open_records(settings).outbox.deliveries()) == len(receiver.got)


def test_several_deliverers_deliver_each_event_once(settings: Settings) -> None:
    events = [
        OutboxEvent(f"msg_{number}", "release.published", datetime.now(UTC), "{}") for number in range(30)
    ]
    with receiving() as receiver:
        declare(settings, receiver.url)
        open_records(settings).outbox.add(events)

        async def together() -> None:
            await asyncio.gather(*(open_deliverer(settings).run(once=True) for _ in range(3)))

        asyncio.run(together())
        assert sorted(receiver.verified(SECRET)) == sorted(event.event_id for event in events)


def test_a_database_that_is_away_ends_nothing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    failures = 0

    def find(_: datetime) -> list[OutboxEvent]:
        nonlocal failures
        failures += 1
        raise StoreUnavailable("PostgreSQL does not answer")

    declare(settings, f"http://127.0.0.1:{free_port()}")
    declared = load_automations(settings.automations_dir, allowed_hosts=["127.0.0.1"])
    deliverer = Deliverer(open_records(settings).outbox, declared, WebhookSettings(), find)
    with pytest.raises(StoreUnavailable):
        asyncio.run(deliverer.run(once=True))

    async def for_a_while() -> None:
        task = asyncio.create_task(deliverer.run())
        while failures < 3:
            await asyncio.sleep(0.05)
        deliverer.end()
        await task

    asyncio.run(for_a_while())
    assert "PostgreSQL does not answer" in caplog.text


def test_without_its_secret_nothing_begins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(settings, "https://example.com")
    monkeypatch.delenv("MARKETING_WEBHOOK_SECRET_A")
    with pytest.raises(AutomationError, match="MARKETING_WEBHOOK_SECRET_A is not set"):
        open_deliverer(settings)
    assert command("webhooks", "deliver", "--once").code == 1
    validated = command("webhooks", "validate", "--json")
    assert validated.code == 1
    assert "MARKETING_WEBHOOK_SECRET_A is not set" in validated.document["errors"][0]


def test_commands_show_what_is_declared_and_try_it(settings: Settings) -> None:
    with receiving(200, 500) as receiver:
        declare(settings, receiver.url)
        assert "1 endpoints and hooks" in command("webhooks", "validate").out
        (listed,) = command("webhooks", "list", "--json").document["endpoints"]
        assert (listed["name"], listed["url"], listed["dead"]) == ("a", receiver.url, 0)
        assert "release.blocked" in command("webhooks", "list").out
        assert command("webhooks", "test", "a").out == "a: delivered\n"
        assert bodies(receiver)[0]["type"] == "webhook.test"
        receiver.verified(SECRET)
        failed = command("webhooks", "test", "a", "--json")
        assert (failed.code, failed.document["problem"]) == (1, "status 500")
        assert "no endpoint 'b'; there are: a" in command("webhooks", "test", "b").err
    assert command("webhooks", "secret").out.startswith("whsec_")
    (settings.automations_dir / "webhooks.yaml").write_text("endpoint: []\n")
    assert "expected one of" in command("webhooks", "validate").out
