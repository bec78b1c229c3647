"""What is taken from the landing zone: each version of an object once, whatever happens around it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.ingestion.landing import Taken, take_landed
from marketing_platform.releases.ledger import Outcome
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.sources import SourceSpec, load_source
from marketing_platform.stores.objects_folder import FolderObjects
from marketing_platform.stores.protocols import LandedObject

_DECLARED = """
source: {name}
description: Events.
path: "{path}"
format: {{type: csv}}
tables:
  events:
    columns: {{user_id: user_id}}
"""


class Zone:
    """A landing folder, a ledger, and one source for `*.csv`."""

    def __init__(self, root: Path, *, objects: type[FolderObjects] = FolderObjects) -> None:
        self.landing = root / "landing"
        self.landing.mkdir(parents=True)
        self.ledger = open_records(Settings(data_dir=root)).ledger
        self.objects = objects(self.landing, root / "kept")
        self.sources = [_source(root, "events", "*.csv")]

    def land(self, name: str, content: str) -> Path:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def take(self, *, settle_seconds: float = 0, limit: int | None = None) -> Taken:
        now = datetime.now(UTC) + timedelta(milliseconds=20)
        return take_landed(
            self.objects, self.ledger, self.sources, now=now, settle_seconds=settle_seconds, limit=limit
        )

    def admit_all(self) -> None:
        for batch in self.ledger.pending():
            self.ledger.judge(batch.batch_id, Outcome(1, 1, 0, {}, (), {}), now=datetime.now(UTC))

    def admitted(self) -> list[str]:
        """What a release would consist of: the kept bytes, sorted."""
        return sorted(
            self.objects.open(batch.content_hash).read().decode() for batch in self.ledger.admitted()
        )


def _source(root: Path, name: str, path: str) -> SourceSpec:
    file = root / f"{name}.yaml"
    file.write_text(_DECLARED.format(name=name, path=path))
    return load_source(file)


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


def test_each_version_is_taken_once(zone: Zone) -> None:
    zone.land("a.csv", "one")
    assert len(zone.take().batches) == 1
    assert zone.take() == Taken((), (), (), ())
    zone.land("a.csv", "two, longer")
    (second,) = zone.take().batches
    zone.admit_all()
    assert [batch.batch_id for batch in zone.ledger.admitted()] == [second]


def test_a_file_older_than_everything_seen_is_taken_too(zone: Zone) -> None:
    zone.land("new.csv", "new")
    zone.take()
    path = zone.land("old.csv", "old")
    os.utime(path, (0, 0))
    assert len(zone.take().batches) == 1


def test_the_same_bytes_under_another_name_are_no_new_batch(zone: Zone) -> None:
    zone.land("a.csv", "same")
    zone.take()
    zone.land("b.csv", "same")
    taken = zone.take()
    assert (taken.batches, taken.repeated) == ((), ("b.csv",))


def test_an_object_that_gets_its_old_content_back_counts_with_it_again(zone: Zone) -> None:
    for content in ("first", "second", "first"):
        zone.land("a.csv", content)
        zone.take()
        zone.admit_all()
        assert zone.admitted() == [content]


def test_a_copy_keeps_content_that_the_original_lost(zone: Zone) -> None:
    zone.land("a.csv", "first")
    zone.land("b.csv", "first")
    zone.take()
    zone.land("a.csv", "second")
    zone.take()
    zone.admit_all()
    assert zone.admitted() == ["first", "second"]


def test_a_file_still_being_written_waits(zone: Zone) -> None:
    zone.land("a.csv", "half")
    assert zone.take(settle_seconds=60).unsettled == ("a.csv",)
    assert len(zone.take().batches) == 1


class _VanishingObjects(FolderObjects):
    """`gone.csv` is removed, and `growing.csv` written to, just as they are copied."""

    def snapshot(self, landed: LandedObject) -> tuple[str, int]:
        path = self._landing / landed.name
        if landed.name == "gone.csv":
            path.unlink(missing_ok=True)
        if landed.name == "growing.csv":
            with path.open("a") as file:
                file.write("more")
        return super().snapshot(landed)


def test_a_file_that_vanishes_or_grows_while_it_is_copied_is_left_for_the_next_look(tmp_path: Path) -> None:
    zone = Zone(tmp_path, objects=_VanishingObjects)
    for name in ("a.csv", "gone.csv", "growing.csv", "z.csv"):
        zone.land(name, name)
    taken = zone.take()
    assert [batch.partition("@")[0] for batch in taken.batches] == ["a.csv", "z.csv"]
    assert taken.unsettled == ("gone.csv", "growing.csv")
    assert not [path for path in (tmp_path / "kept").iterdir() if path.name.startswith(".")]


class _FullDisk(FolderObjects):
    def snapshot(self, landed: LandedObject) -> tuple[str, int]:
        if landed.name == "big.csv":
            raise OSError(28, "No space left on device")
        return super().snapshot(landed)


def test_what_cannot_be_taken_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    zone = Zone(tmp_path, objects=_FullDisk)
    zone.sources.append(_source(tmp_path, "second", "twice*.csv"))
    for name in ("a.csv", "big.csv", "notes.txt", "twice.csv"):
        zone.land(name, name)
    Path(os.fsdecode(os.fsencode(zone.landing) + b"/caf\xe9.csv")).write_text("x")
    taken = zone.take()
    assert [batch.partition("@")[0] for batch in taken.batches] == ["a.csv"]
    assert taken.unmatched == ("notes.txt",)
    reasons = {line.split(":")[0]: line for line in taken.refused}
    assert set(reasons) == {"big.csv", "twice.csv", "caf\\udce9.csv"}
    assert "No space left" in reasons["big.csv"]
    assert "'events'" in reasons["twice.csv"]
    assert "'second'" in reasons["twice.csv"]


def test_a_look_takes_at_most_so_many(zone: Zone) -> None:
    for number in range(5):
        zone.land(f"{number}.csv", f"content {number}")
    assert [len(zone.take(limit=2).batches) for _ in range(4)] == [2, 2, 1, 0]
    for number in range(5):
        zone.land(f"again {number}.csv", f"content {number}")
    assert [len(zone.take(limit=2).repeated) for _ in range(4)] == [2, 2, 1, 0]


_LANDINGS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "two", "three"])), max_size=8)


@settings(deadline=None, max_examples=20)
@given(_LANDINGS)
def test_what_counts_is_the_last_content_of_each_object(
    tmp_path_factory: pytest.TempPathFactory, landings: list[tuple[str, str]]
) -> None:
    zone = Zone(tmp_path_factory.mktemp("zone"))
    last: dict[str, str] = {}
    for name, content in landings:
        zone.landing.joinpath(f"{name}.csv").unlink(missing_ok=True)
        zone.land(f"{name}.csv", content)
        zone.take()
        zone.admit_all()
        last[name] = content
    assert zone.admitted() == sorted(set(last.values()))


def test_batches_are_named_so_that_people_and_dagster_can_read_them(zone: Zone) -> None:
    names = ["a/b c.csv", "x...y.csv", "line\nbreak.csv", "n" * 200 + ".csv", "größe 💥.csv"]
    for number, name in enumerate(names):
        zone.land(name, str(number))
    batches = zone.take().batches
    assert len(set(batches)) == len(names)
    for batch in batches:
        assert batch.isprintable()
        assert ".." not in batch
        assert len(batch) <= 140


def test_a_batch_is_found_by_the_digits_behind_its_at_sign(zone: Zone) -> None:
    zone.land("we%rd_na@me.csv", "x")
    zone.take()
    (batch_id,) = (batch.batch_id for batch in zone.ledger.batches())
    assert zone.ledger.batch(batch_id.rpartition("@")[2]).batch_id == batch_id
