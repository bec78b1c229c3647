"""A call has its effect once, and one run does what all who waited asked for, wherever calls are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.releases.calls import Call, RunAsked
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS

NOW = datetime(2026, 11, 21, 6, 30, 12, tzinfo=UTC)
CALL = Call("orders", "msg_1", 1_795_243_812, "f1", NOW, '{"größe": 1}')


class CallsContract:
    """What all calls do. A new place adds a class of three lines at the end."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    def test_a_call_is_remembered_once(self, place: Place) -> None:
        calls = place.open().calls
        assert calls.find("orders", "msg_1") is None
        assert calls.note(CALL)
        assert not calls.note(replace(CALL, fingerprint="f2"), run=RunAsked("r", "publish", NOW))
        assert place.open().calls.find("orders", "msg_1") == CALL
        assert calls.find("others", "msg_1") is None
        assert calls.waiting("publish") == []

    def test_of_many_at_once_one_is_noted(self, place: Place) -> None:
        def note(number: int) -> bool:
            return place.open().calls.note(CALL, run=RunAsked(f"run-{number}", "publish", NOW))

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(note, range(8))) == [False] * 7 + [True]
        assert len(place.open().calls.waiting("publish")) == 1

    def test_runs_wait_until_they_are_started(self, place: Place) -> None:
        calls = place.open().calls
        asked = [RunAsked(f"run-{number}", "publish", NOW) for number in range(3)]
        for number, one in enumerate(asked):
            calls.note(replace(CALL, call_id=f"msg_{number}"), run=one)
        assert calls.waiting("publish") == asked
        assert calls.waiting("collect") == []
        calls.started(asked[:2], run_id="r1")
        assert calls.waiting("publish") == asked[2:]

    def test_what_is_old_is_forgotten_but_runs_that_wait(self, place: Place) -> None:
        calls = place.open().calls
        calls.note(CALL, run=RunAsked("run-1", "publish", NOW))
        calls.purge(NOW + timedelta(days=1))
        assert calls.find("orders", "msg_1") is None
        assert len(calls.waiting("publish")) == 1


class TestCallsInAFolder(CallsContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)


if WITH_SERVERS:

    class TestCallsOnPostgres(CallsContract):
        @pytest.fixture
        def place(self, tmp_path: Path) -> Place:
            return on_postgres()
