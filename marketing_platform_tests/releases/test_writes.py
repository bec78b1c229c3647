"""What is remembered of writes: one attempt has a key, its answer stays for a time, processes agree."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.releases.writes import Completed, Standing, Writes, record_name
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def begin(
    writes: Writes, attempt: str, *, record: str = "r", fingerprint: str = "f", now: datetime = NOW
) -> Standing:
    return writes.begin(record, fingerprint, attempt=attempt, now=now, lease=HOUR / 3, keep=HOUR).standing


class WritesContract:
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        raise NotImplementedError

    def test_a_key_belongs_to_one_attempt_until_its_time_is_over(self, place: Place) -> None:
        writes = place.open().writes
        assert begin(writes, "1") == "new"
        assert begin(writes, "2") == "in flight"
        assert begin(writes, "3", fingerprint="other") == "other"
        late = NOW + HOUR / 2
        assert begin(writes, "4", now=late) == "new"
        writes.complete([Completed("r", "1", "the first's")])  # came back too late to count
        writes.complete([Completed("r", "4", "the fourth's")])
        done = place.open().writes.begin("r", "f", attempt="5", now=late, lease=HOUR, keep=HOUR)
        assert (done.standing, done.receipt) == ("done", "the fourth's")
        assert begin(writes, "6", fingerprint="other", now=late + 2 * HOUR) == "new"

    def test_an_attempt_that_wrote_nothing_frees_its_key(self, place: Place) -> None:
        writes = place.open().writes
        assert begin(writes, "1") == "new"
        writes.abandon("r", attempt="0")
        assert begin(writes, "2") == "in flight"
        writes.abandon("r", attempt="1")
        assert begin(writes, "3", fingerprint="other") == "new"

    def test_of_many_at_once_one_wins(self, place: Place) -> None:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda n: begin(place.open().writes, str(n)), range(16)))
        assert found.count(Standing.NEW) == 1
        assert found.count(Standing.IN_FLIGHT) == 15

    def test_everybody_signs_with_one_key(self, place: Place) -> None:
        with ThreadPoolExecutor(4) as threads:
            keys = set(threads.map(lambda _: place.open().writes.receipt_key(), range(8)))
        assert len(keys) == 1
        assert len(keys.pop()) == 32


class TestFolderWrites(WritesContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Folder(tmp_path)


if WITH_SERVERS:

    class TestPostgresWrites(WritesContract):
        @pytest.fixture
        def place(self) -> Place:
            return on_postgres()


def test_names_of_keys_never_meet() -> None:
    assert record_name("a", "bc") != record_name("ab", "c")
    assert record_name("1:a", "b") != record_name("1", ":ab")
