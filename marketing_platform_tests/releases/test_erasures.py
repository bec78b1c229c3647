"""Erasures: asked for once, masked in what was made before, done once nothing of that is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.errors import UnknownErasure
from marketing_platform.releases.collection import (
    collectable_releases,
    erasures_due,
    finish_erasures,
    unpin_erased,
)
from marketing_platform.releases.erasures import Erasures, masked
from marketing_platform.releases.manifest import Manifest, Totals
from marketing_platform.releases.records import Records
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["folder", *(["postgres"] if WITH_SERVERS else [])])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    place: Place = Folder(tmp_path) if request.param == "folder" else on_postgres()
    return place.open()


def publish(records: Records, name: str, at: datetime) -> None:
    totals = Totals(rows_landed=0, rows_valid=0, rows_quarantined=0, users=0, campaigns=0, vectors=0, edges=0)
    current = records.shelf.current()
    manifest = Manifest(
        release_id=name,
        created_at=at,
        previous=current,
        run_id="run",
        code_version="0",
        profile="embedded",
        totals=totals,
        batches=(),
    )
    records.shelf.publish(manifest, expected=current)


def test_asking_again_is_the_same_erasure_until_the_rows_are_gone(records: Records) -> None:
    erasures: Erasures = records.erasures
    first = erasures.ask("u-1", who="ana", now=NOW)
    assert erasures.ask("u-1", who="ben", now=NOW + HOUR) == first
    assert erasures.waiting() == [first]
    erasures.rows_gone(first.erasure_id, now=NOW + HOUR)
    assert erasures.waiting() == []
    assert erasures.ask("u-1", who="ana", now=NOW + 2 * HOUR) != first, "the user came back"
    with pytest.raises(UnknownErasure):
        erasures.get("e-1")


def test_only_what_was_made_before_is_masked(records: Records) -> None:
    erasures = records.erasures
    asked = erasures.ask("u-1", who="ana", now=NOW)
    known, last = erasures.changes(0)
    assert masked(known, NOW - HOUR) == masked(known, NOW + HOUR) == {"u-1"}
    erasures.rows_gone(asked.erasure_id, now=NOW + HOUR)
    known, _ = erasures.changes(last)
    assert masked(known, NOW + HOUR) == {"u-1"}
    assert masked(known, NOW + 2 * HOUR) == frozenset()


def test_old_releases_go_in_time_even_pinned_ones_and_then_it_is_done(records: Records) -> None:
    shelf, erasures = records.shelf, records.erasures
    for number in range(3):
        publish(records, f"r-{number}", NOW - (3 - number) * HOUR)
    shelf.pin("r-1", why="audit", who="ana")
    asked = erasures.ask("u-1", who="ana", now=NOW)
    erasures.rows_gone(asked.erasure_id, now=NOW)
    publish(records, "r-3", NOW + HOUR)

    early = NOW + timedelta(days=20)
    assert erasures_due(erasures, days=30, now=early) is None
    assert collectable_releases(shelf, keep=5, due=None) == []

    late = NOW + timedelta(days=29, hours=1)
    due = erasures_due(erasures, days=30, now=late)
    unpin_erased(shelf, erasures, days=30, now=late)
    gone = [manifest.release_id for manifest in collectable_releases(shelf, keep=5, due=due)]
    assert sorted(gone) == ["r-0", "r-1", "r-2"]
    finish_erasures(shelf, erasures, now=late)
    assert erasures.get(asked.erasure_id)[0].done_at is None
    for name in gone:
        shelf.remove(name)
    finish_erasures(shelf, erasures, now=late)
    found, _ = erasures.get(asked.erasure_id)
    assert (found.done_at, found.user_id[:7]) == (late, "sha256:")
    assert erasures.unfinished() == []
