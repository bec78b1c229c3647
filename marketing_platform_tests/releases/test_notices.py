"""What people are told is kept in order, wherever it is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS
from marketing_platform_tests.stores.processes import AWKWARD


class NoticesContract:
    """What all notices do. A new place adds a class of three lines at the end."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    def test_what_is_added_comes_after_what_was_seen(self, place: Place) -> None:
        notices = place.open().notices
        notices.add("seen before")
        position = notices.end()
        assert notices.after(position) == ([], position)
        for text in AWKWARD:
            notices.add(text, release="r-1", rows=7)
        found, end = place.open().notices.after(position)
        assert [notice.message for notice in found] == AWKWARD
        assert all(notice.details == {"release": "r-1", "rows": 7} for notice in found)
        assert end == notices.end()
        assert notices.after(end) == ([], end)

    def test_nothing_was_told_yet(self, place: Place) -> None:
        notices = place.open().notices
        assert notices.after(notices.end()) == ([], 0)

    def test_many_tell_at_once(self, place: Place) -> None:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda number: place.open().notices.add(f"{number}" * 1000), range(24)))
        found, _ = place.open().notices.after(0)
        assert sorted(notice.message for notice in found) == sorted(f"{n}" * 1000 for n in range(24))


class TestFileNotices(NoticesContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)


if WITH_SERVERS:

    class TestPostgresNotices(NoticesContract):
        @pytest.fixture
        def place(self) -> Place:
            return on_postgres()
