"""Whoever writes holds the lock; it goes with its process, and who waits is told for whom."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from marketing_platform.errors import StoreBusy
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS
from marketing_platform_tests.stores.processes import in_another_process, killed_half_way


def pid_while_held(place: Place) -> int:
    with place.open().writer.held(wait_seconds=0):
        return os.getpid()


def hold_without_end(place: Place, half_way: Event) -> None:
    with place.open().writer.held():
        half_way.set()
        time.sleep(60)


@contextmanager
def waiting(place: Place, order: list[str], name: str, *, shared: bool = False) -> Generator[None]:
    """Somebody who waits for the lock during the block, and has held it when the block ends."""
    waits = threading.Event()

    def wait() -> None:
        with place.open().writer.held(shared=shared, wait_seconds=30, on_wait=lambda _: waits.set()):
            order.append(name)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        assert waits.wait(10)
        time.sleep(0.3)  # from being told to standing in line
        yield
    finally:
        thread.join(30)


class WriterContract:
    """What every writer lock does. A new place adds a class of three lines at the end."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    def test_one_at_a_time(self, place: Place) -> None:
        with place.open().writer.held() as session:
            session.confirm()
            with (
                pytest.raises(StoreBusy, match=f"process {os.getpid()}.* is writing to .*; wait for it"),
                place.open().writer.held(wait_seconds=0),
            ):
                pass
        assert in_another_process(pid_while_held, place) != os.getpid()

    def test_who_waits_is_told_for_whom_and_comes_next(self, place: Place) -> None:
        told: list[str] = []
        order: list[str] = []
        with ExitStack() as afterwards, place.open().writer.held():
            afterwards.enter_context(waiting(place, order, "second"))
            with pytest.raises(StoreBusy), place.open().writer.held(wait_seconds=0.1, on_wait=told.append):
                pass
            order.append("first")
        assert order == ["first", "second"]
        assert len(told) == 1
        assert told[0].startswith(f"waiting for process {os.getpid()}")

    def test_a_killed_holder_keeps_nobody_out(self, place: Place) -> None:
        killed_half_way(hold_without_end, place)
        with place.open().writer.held(wait_seconds=10) as session:
            session.confirm()

    def test_sharers_and_a_loner_exclude_each_other(self, place: Place) -> None:
        with (
            place.open().writer.held(shared=True),
            pytest.raises(StoreBusy),
            place.open().writer.held(wait_seconds=0),
        ):
            pass
        with (
            place.open().writer.held(),
            pytest.raises(StoreBusy),
            place.open().writer.held(shared=True, wait_seconds=0),
        ):
            pass


class TestFolderLock(WriterContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)

    def test_on_one_disk_nobody_shares(self, place: Place) -> None:
        with (
            place.open().writer.held(shared=True),
            pytest.raises(StoreBusy),
            place.open().writer.held(shared=True, wait_seconds=0),
        ):
            pass


if WITH_SERVERS:

    class TestPostgresLock(WriterContract):
        @pytest.fixture
        def place(self) -> Place:
            return on_postgres()

        def test_sharers_stand_side_by_side(self, place: Place) -> None:
            with place.open().writer.held(shared=True), place.open().writer.held(shared=True, wait_seconds=0):
                pass

        def test_sharers_that_come_later_do_not_overtake(self, place: Place) -> None:
            order: list[str] = []
            with ExitStack() as afterwards, place.open().writer.held(shared=True):
                afterwards.enter_context(waiting(place, order, "loner"))
                afterwards.enter_context(waiting(place, order, "later sharer", shared=True))
                order.append("sharer at work")
            assert order == ["sharer at work", "loner", "later sharer"]

        def test_installations_do_not_wait_for_each_other(self, place: Place) -> None:
            with place.open().writer.held(), on_postgres().open().writer.held(wait_seconds=0):
                pass
