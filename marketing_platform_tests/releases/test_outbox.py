"""Events wait until they are delivered, each endpoint's once, wherever they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.releases.outbox import Delivery, Outbox, OutboxEvent
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS

NOW = datetime(2026, 11, 21, 6, 30, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def event(number: int, *, kind: str = "release.published", at: datetime = NOW) -> OutboxEvent:
    return OutboxEvent(f"msg_{number}", kind, at, f'{{"größe": {number}}}')


def filled(place: Place, *numbers: int, endpoints: Sequence[str] = ("a",)) -> Outbox:
    """An outbox with these events, addressed."""
    outbox = place.open().outbox
    outbox.look(NOW, back=DAY)
    outbox.add(event(number) for number in numbers)
    outbox.address({"release.published": endpoints}, now=NOW)
    return outbox


def claim(outbox: Outbox, endpoint: str = "a", *, at: datetime = NOW, limit: int = 10) -> list[Delivery]:
    return outbox.claim(endpoint, now=at, lease=MINUTE, limit=limit)


class OutboxContract:
    """What every outbox does. A new place adds a class of three lines at the end."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    def test_an_event_is_delivered_to_each_subscriber_once(self, place: Place) -> None:
        outbox = filled(place, 1, endpoints=("a", "b"))
        outbox.add([event(1)])
        outbox.address({"release.published": ["a", "b", "late"]}, now=NOW)
        for endpoint in ("a", "b"):
            (delivery,) = claim(outbox, endpoint)
            assert delivery.event == event(1)
            assert delivery.attempts == 1
            outbox.delivered(delivery)
            assert claim(outbox, endpoint, at=NOW + DAY) == []
        assert claim(outbox, "late", at=NOW + DAY) == []
        assert outbox.counts() == {("a", "delivered"): 1, ("b", "delivered"): 1}

    def test_nobody_is_told_of_what_they_do_not_subscribe_to(self, place: Place) -> None:
        outbox = place.open().outbox
        outbox.look(NOW, back=DAY)
        outbox.add([event(1, kind="kpi.anomaly")])
        outbox.address({"release.published": ["a"]}, now=NOW)
        assert outbox.deliveries() == []

    def test_a_claim_that_ended_is_due_again(self, place: Place) -> None:
        outbox = filled(place, 1)
        (lost,) = claim(outbox)
        assert claim(outbox, at=NOW + MINUTE / 2) == []
        (again,) = claim(outbox, at=NOW + MINUTE)
        assert again.attempts == 2
        outbox.failed(lost, "too late: somebody else has it", again_at=None)
        assert outbox.deliveries(state="dead") == []
        outbox.delivered(again)
        assert outbox.counts() == {("a", "delivered"): 1}

    def test_what_fails_waits_and_dies_and_is_replayed(self, place: Place) -> None:
        outbox = filled(place, 1, 2)
        one, two = claim(outbox)
        outbox.failed(one, "status 500", again_at=NOW + DAY)
        outbox.failed(two, "status 410", again_at=None)
        assert claim(outbox, at=NOW + DAY - MINUTE) == []
        (dead,) = outbox.deliveries(state="dead", endpoint="a")
        assert (dead.event.event_id, dead.problem, dead.attempts) == ("msg_2", "status 410", 1)
        assert outbox.replay(now=NOW, endpoint="b") == []
        assert outbox.replay(now=NOW) == [("msg_2", "a")]
        (replayed,) = claim(outbox)
        assert (replayed.event, replayed.attempts) == (event(2), 1)

    def test_an_event_that_arrived_is_replayed_by_name_alone(self, place: Place) -> None:
        outbox = filled(place, 1, endpoints=("a", "b"))
        for endpoint in ("a", "b"):
            outbox.delivered(*claim(outbox, endpoint))
        assert outbox.replay(now=NOW) == []
        assert outbox.replay(now=NOW, event_id="msg_1", endpoint="b") == [("msg_1", "b")]
        assert outbox.replay(now=NOW, event_id="msg_1", endpoint="b") == []  # it waits already

    def test_events_of_before_the_first_look_are_not_told(self, place: Place) -> None:
        outbox = place.open().outbox
        outbox.add([event(1, at=NOW - DAY - MINUTE), event(2, at=NOW - DAY + MINUTE)])
        assert outbox.look(NOW, back=DAY) == NOW - DAY
        outbox.looked(NOW)
        assert place.open().outbox.look(NOW + DAY, back=DAY) == NOW
        outbox.address({"release.published": ["a"]}, now=NOW)
        assert [one.event.event_id for one in outbox.deliveries()] == ["msg_2"]

    def test_many_claim_at_once_and_none_gets_what_another_has(self, place: Place) -> None:
        filled(place, *range(40))
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: claim(place.open().outbox, limit=3), range(16)))
        ids = [delivery.event.event_id for claimed in found for delivery in claimed]
        assert len(ids) == 40
        assert len(set(ids)) == 40

    def test_what_is_old_is_forgotten_but_what_waits_and_anomalies(self, place: Place) -> None:
        outbox = filled(place, 1, 2)
        outbox.add([event(3, kind="kpi.anomaly")])
        one, _ = claim(outbox)
        outbox.delivered(one)
        outbox.purge(NOW + timedelta(seconds=30))  # the other one is claimed until a minute from now
        assert outbox.counts() == {("a", "waiting"): 1}
        outbox.purge(NOW + DAY)
        assert outbox.counts() == {}
        outbox.add([event(1), event(3, kind="kpi.anomaly")])
        outbox.address({"release.published": ["a"], "kpi.anomaly": ["a"]}, now=NOW)
        assert {one.event.event_id for one in outbox.deliveries()} == {"msg_1", "msg_3"}


class TestOutboxInAFolder(OutboxContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)


if WITH_SERVERS:

    class TestOutboxOnPostgres(OutboxContract):
        @pytest.fixture
        def place(self, tmp_path: Path) -> Place:
            return on_postgres()
