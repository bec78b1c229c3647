"""The shelf keeps releases for good, and the pointer moves in one step or not at all."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from marketing_platform.errors import ReleaseConflict, ReleaseRefused, UnknownRelease
from marketing_platform.releases.manifest import Manifest, TableEntry, Totals
from marketing_platform.releases.pointer import ReleaseShelf
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS
from marketing_platform_tests.stores.processes import in_another_process, killed_half_way

MORNING = datetime(2026, 11, 21, 6, 30, 12, tzinfo=UTC)


def release(release_id: str, *, minutes: int = 0, tables: dict[str, TableEntry] | None = None) -> Manifest:
    nothing = Totals(
        rows_landed=0, rows_valid=0, rows_quarantined=0, users=0, campaigns=0, vectors=0, edges=0
    )
    return Manifest(
        release_id=release_id,
        created_at=MORNING + timedelta(minutes=minutes),
        previous=None,
        run_id="run",
        code_version="0",
        profile="embedded",
        totals=nothing,
        batches=(),
        tables=tables or {},
    )


def publish_without_end(place: Place, at_work: Event) -> None:
    shelf = place.open().shelf
    chance = random.Random()
    for published in count():
        shelf.publish(release(shelf.next_release_id(datetime.now(UTC))), expected=shelf.current())
        if published == 2:
            threading.Timer(chance.uniform(0.0, 0.03), at_work.set).start()


def roll_forward(place: Place) -> str | None:
    shelf = place.open().shelf
    shelf.publish(release("r-2"), expected=shelf.current())
    return shelf.current()


class ShelfContract:
    """What every shelf does. A new place adds a class of three lines at the end."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    @pytest.fixture
    def shelf(self, place: Place) -> ReleaseShelf:
        return place.open().shelf

    def test_an_empty_shelf_has_nothing_and_says_so(self, shelf: ReleaseShelf) -> None:
        assert (shelf.current(), shelf.list(), shelf.history(), shelf.pins()) == (None, [], [], {})
        with pytest.raises(UnknownRelease, match="the newest: none"):
            shelf.load("r-1")

    def test_publishing_makes_current_and_keeps_the_older(self, shelf: ReleaseShelf) -> None:
        shelf.publish(release("r-1"), expected=None)
        shelf.publish(release("r-2", minutes=1), expected="r-1")

        assert shelf.current() == "r-2"
        assert [kept.release_id for kept in shelf.list()] == ["r-2", "r-1"]
        assert shelf.load("r-1") == release("r-1")

    def test_who_decided_on_an_old_state_loses_and_changes_nothing(self, shelf: ReleaseShelf) -> None:
        shelf.publish(release("r-1"), expected=None)
        with pytest.raises(ReleaseConflict, match="stands at r-1, expected no release"):
            shelf.publish(release("r-2"), expected=None)
        with pytest.raises(ReleaseConflict, match="expected r-0"):
            shelf.move("r-1", expected="r-0", why="-", who="-")

        assert [kept.release_id for kept in shelf.list()] == ["r-1"]
        assert len(shelf.history()) == 1

    def test_publishing_again_is_harmless_but_never_overwrites(self, shelf: ReleaseShelf) -> None:
        shelf.publish(release("r-1"), expected=None)
        shelf.publish(release("r-1"), expected=None)
        with pytest.raises(ReleaseConflict, match="another manifest"):
            shelf.publish(release("r-1", minutes=1), expected="r-1")

        assert shelf.load("r-1") == release("r-1")
        assert len(shelf.history()) == 1

    def test_a_rollback_moves_the_pointer_and_is_remembered(self, shelf: ReleaseShelf) -> None:
        shelf.publish(release("r-1"), expected=None)
        shelf.publish(release("r-2"), expected="r-1")
        shelf.move("r-1", expected="r-2", why="prices were wrong", who="ada")

        assert shelf.current() == "r-1"
        assert [(move.previous, move.to) for move in shelf.history()] == [
            (None, "r-1"),
            ("r-1", "r-2"),
            ("r-2", "r-1"),
        ]
        assert (shelf.history()[-1].why, shelf.history()[-1].who) == ("prices were wrong", "ada")

    def test_the_pointer_never_moves_to_what_is_not_there(self, shelf: ReleaseShelf) -> None:
        shelf.publish(release("r-1"), expected=None)
        with pytest.raises(UnknownRelease, match="the newest: r-1"):
            shelf.move("r-9", expected="r-1", why="-", who="-")
        assert shelf.current() == "r-1"

    @pytest.mark.parametrize("hostile", ["../elsewhere", "", ".", "/etc", "r-1/..", "a\x00b", "r" * 101])
    def test_an_id_is_never_a_path(self, shelf: ReleaseShelf, hostile: str) -> None:
        with pytest.raises(UnknownRelease, match="no release id"):
            shelf.load(hostile)
        with pytest.raises(UnknownRelease, match="no release id"):
            shelf.publish(release(hostile), expected=None)

    def test_current_and_pinned_releases_cannot_be_removed(self, shelf: ReleaseShelf) -> None:
        shelf.publish(release("r-1"), expected=None)
        shelf.publish(release("r-2"), expected="r-1")
        shelf.pin("r-1", why="the quarter's report", who="ada")

        assert shelf.pins()["r-1"].why == "the quarter's report"
        with pytest.raises(ReleaseRefused, match="pinned"):
            shelf.remove("r-1")
        with pytest.raises(ReleaseRefused, match="current"):
            shelf.remove("r-2")

        shelf.unpin("r-1")
        shelf.remove("r-1")
        assert [kept.release_id for kept in shelf.list()] == ["r-2"]
        with pytest.raises(UnknownRelease):
            shelf.pin("r-1", why="-", who="-")

    def test_ids_tell_the_time_and_differ(self, shelf: ReleaseShelf) -> None:
        ids = {shelf.next_release_id(MORNING) for _ in range(20)}
        assert len(ids) > 15
        assert all(release_id.startswith("r-20261121-063012-") for release_id in ids)

    def test_one_of_many_publishers_wins(self, shelf: ReleaseShelf) -> None:
        def attempt(number: int) -> bool:
            try:
                shelf.publish(release(f"r-{number}"), expected=None)
            except ReleaseConflict:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(attempt, range(16)))
        assert won.count(True) == 1
        assert shelf.current() == f"r-{won.index(True)}"
        assert len(shelf.history()) == 1

    @pytest.mark.slow
    def test_a_kill_leaves_the_old_release_or_the_new_one(self, place: Place) -> None:
        """Another process publishes without end and is killed at random moments, six times on one shelf."""
        shelf = place.open().shelf
        for _ in range(6):
            before = shelf.current()
            killed_half_way(publish_without_end, place)
            current, moves = shelf.current(), shelf.history()
            assert current is not None
            assert shelf.load(current).release_id == current
            assert moves[-1].to == current
            assert [move.previous for move in moves] == [None, *(move.to for move in moves[:-1])]
            assert before is None or before in {move.to for move in moves}
        shelf.publish(release("r-last"), expected=shelf.current())
        assert shelf.current() == "r-last"

    def test_many_processes_see_one_shelf(self, place: Place) -> None:
        place.open().shelf.publish(release("r-1"), expected=None)
        assert in_another_process(roll_forward, place) == "r-2"
        assert place.open().shelf.current() == "r-2"

    def test_pinning_again_replaces_the_reason(self, shelf: ReleaseShelf) -> None:
        shelf.publish(release("r-1"), expected=None)
        shelf.pin("r-1", why="audit", who="ada")
        shelf.pin("r-1", why="the other audit", who="bob")
        assert [(pin.why, pin.who) for pin in shelf.pins().values()] == [("the other audit", "bob")]
        shelf.unpin("r-1")
        shelf.unpin("r-1")
        assert shelf.pins() == {}


class TestFolderShelf(ShelfContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)

    def test_half_a_line_in_the_history_is_dropped(self, shelf: ReleaseShelf, tmp_path: Path) -> None:
        shelf.publish(release("r-1"), expected=None)
        shelf.publish(release("r-2"), expected="r-1")
        with (tmp_path / "releases" / "history.jsonl").open("ab") as log:
            log.write(b'{"at":"2026-')
        assert [move.to for move in shelf.history()] == ["r-1", "r-2"]
        shelf.publish(release("r-3"), expected="r-2")
        assert [move.to for move in shelf.history()] == ["r-1", "r-2", "r-3"]


if WITH_SERVERS:

    class TestPostgresShelf(ShelfContract):
        @pytest.fixture
        def place(self) -> Place:
            return on_postgres()


def test_the_manifest_reads_the_same_however_it_was_put_together() -> None:
    entry = TableEntry(parts=("t__1",), columns={"b": "BIGINT", "a": "BIGINT"}, rows=0, fingerprint="0")
    stored = json.loads(release("r-1", tables={"z": entry, "y": entry}).to_json())

    assert list(stored) == list(Manifest.model_fields)
    assert list(stored["tables"]) == ["y", "z"]
    assert list(stored["tables"]["y"]["columns"]) == ["b", "a"]  # the order of a table's columns matters
