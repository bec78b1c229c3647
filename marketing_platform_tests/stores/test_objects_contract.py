"""What every landing zone does. A new one adds a class of three lines at the end."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marketing_platform.errors import AlreadyThere, ChangedWhileRead, UnknownName
from marketing_platform.stores.objects_folder import FolderObjects
from marketing_platform.stores.protocols import LandedObject, Objects
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared
from marketing_platform_tests.stores.processes import in_another_process


def read(objects: Objects, content_hash: str) -> bytes:
    with objects.open(content_hash) as kept:
        return kept.read()


class ObjectsContract:
    """The behaviour; `objects` is a fixture of the class that names an implementation."""

    def test_what_is_put_is_listed_once_complete_in_order_of_name(self, objects: Objects) -> None:
        objects.put("b/ä 'quoted'.csv", [b"x", b"y"])
        objects.put("a.csv", [])
        landed = list(objects.list())
        assert [(found.name, found.size) for found in landed] == [("a.csv", 0), ("b/ä 'quoted'.csv", 2)]
        assert all(found.updated_at.tzinfo is not None for found in landed)

    def test_names_come_in_the_order_of_whole_paths(self, objects: Objects) -> None:
        names = ["A.csv", "a-b/1.csv", "a.csv", "a/1.csv", "a/b/1.csv", "ab.csv", "ä.csv"]
        for name in reversed(names):
            objects.put(name, [b"x"])
        assert [found.name for found in objects.list()] == names

    def test_unfinished_and_hidden_objects_are_left_alone(self, objects: Objects) -> None:
        for name in ("a.csv.tmp", "b.part", ".hidden", "c.csv~", ".git/d.csv", "e/.f/g.csv", "h.csv"):
            objects.put(name, [b"x"])
        assert [found.name for found in objects.list()] == ["h.csv"]

    def test_an_overwritten_object_has_another_generation(self, objects: Objects) -> None:
        first = objects.put("a.csv", [b"one"])
        second = objects.put("a.csv", [b"two"])
        assert first.generation != second.generation
        assert list(objects.list()) == [second]

    def test_a_kept_version_outlives_the_object(self, objects: Objects) -> None:
        landed = objects.put("a.csv", [b"first version"])
        content_hash, size = objects.snapshot(landed)
        objects.put("a.csv", [b"second version"])
        assert (content_hash, size) == (hashlib.sha256(b"first version").hexdigest(), 13)
        with objects.open(content_hash) as kept:
            assert kept.read() == b"first version"

    def test_what_is_forgotten_is_gone_unless_something_else_landed_there(self, objects: Objects) -> None:
        first, second = (
            objects.snapshot(objects.put(name, [name.encode()]))[0] for name in ("a.csv", "b.csv")
        )
        objects.put("b.csv", [b"newer"])
        stream = objects.snapshot(objects.put("stream/events/0.ndjson", [b"{}"]))[0]
        for name, kept in (("a.csv", first), ("b.csv", second), ("stream/events/0.ndjson", stream)):
            objects.forget(name, kept)
            objects.forget(name, kept)
            with pytest.raises(UnknownName):
                objects.open(kept)
        assert [landed.name for landed in objects.list()] == ["b.csv", "stream/events/0.ndjson"]

    def test_a_version_that_is_no_longer_there_is_not_mistaken_for_another(self, objects: Objects) -> None:
        landed = objects.put("a.csv", [b"one"])
        objects.put("a.csv", [b"two"])
        with pytest.raises(ChangedWhileRead, match=r"a\.csv"):
            objects.snapshot(landed)

    def test_the_same_bytes_are_kept_once_under_whatever_name(self, objects: Objects) -> None:
        first, second = (objects.put(name, [b"same"]) for name in ("a.csv", "b.csv"))
        assert objects.snapshot(first) == objects.snapshot(second) == objects.snapshot(first)
        assert read(objects, objects.snapshot(second)[0]) == b"same"

    def test_kept_bytes_are_read_piece_by_piece(self, objects: Objects) -> None:
        content = bytes(range(256)) * 4096
        content_hash, size = objects.snapshot(objects.put("a.bin", [content]))
        assert size == len(content)
        with objects.open(content_hash) as kept:
            pieces = iter(lambda: kept.read(300_001), b"")
            assert b"".join(pieces) == content

    def test_another_process_reads_what_this_one_keeps(self, objects: Objects) -> None:
        content_hash, _ = objects.snapshot(objects.put("a.csv", [b"kept"]))
        assert in_another_process(read, objects, content_hash) == b"kept"

    def test_an_unknown_kept_version_is_named(self, objects: Objects) -> None:
        with pytest.raises(UnknownName, match="0000"):
            objects.open("0" * 64)

    def test_a_write_that_fails_lands_nothing(self, objects: Objects) -> None:
        def broken():
            yield b"half"
            raise OSError("the sender went away")

        with pytest.raises(OSError, match="went away"):
            objects.put("a.csv", broken())
        assert list(objects.list()) == []

    def test_a_created_object_is_listed_like_any_other(self, objects: Objects) -> None:
        created = objects.create("a/1.ndjson", [b"one", b" object"])
        assert (created.name, created.size) == ("a/1.ndjson", 10)
        assert list(objects.list()) == [created]
        content_hash, _ = objects.snapshot(created)
        with objects.open(content_hash) as kept:
            assert kept.read() == b"one object"

    def test_a_name_is_created_once_and_keeps_what_landed_first(self, objects: Objects) -> None:
        first = objects.create("a.csv", [b"first"])
        with pytest.raises(AlreadyThere, match=r"a\.csv"):
            objects.create("a.csv", [b"second"])
        assert list(objects.list()) == [first]

    def test_nothing_is_created_over_what_was_put(self, objects: Objects) -> None:
        landed = objects.put("a.csv", [b"first"])
        with pytest.raises(AlreadyThere):
            objects.create("a.csv", [b"second"])
        assert list(objects.list()) == [landed]

    def test_of_many_who_create_one_name_exactly_one_lands(self, objects: Objects) -> None:
        start = threading.Barrier(8)

        def create(content: bytes) -> bytes | None:
            start.wait()
            try:
                objects.create("a.csv", [content])
            except AlreadyThere:
                return None
            return content

        with ThreadPoolExecutor(8) as threads:
            landed = [made for made in threads.map(create, [bytes([65 + n]) * 100 for n in range(8)]) if made]
        assert len(landed) == 1
        content_hash, _ = objects.snapshot(next(objects.list()))
        with objects.open(content_hash) as kept:
            assert kept.read() == landed[0]

    def test_a_creation_that_fails_leaves_the_name_free(self, objects: Objects) -> None:
        def broken():
            yield b"half"
            raise OSError("the sender went away")

        with pytest.raises(OSError, match="went away"):
            objects.create("a.csv", broken())
        assert list(objects.list()) == []
        objects.create("a.csv", [b"whole"])

    def test_a_part_of_the_landing_zone_is_listed_from_a_name_on(self, objects: Objects) -> None:
        for name in ("a/1.csv", "a/2.csv", "a/b/1.csv", "a-b/1.csv", "a.csv", "b/1.csv"):
            objects.put(name, [b"x"])

        def listed(**only: str) -> list[str]:
            return [found.name for found in objects.list(**only)]

        assert listed(below="a") == ["a/1.csv", "a/2.csv", "a/b/1.csv"]
        assert listed(below="a", start="a/2.csv") == ["a/2.csv", "a/b/1.csv"]
        assert listed(below="a/b", start="a/b/2.csv") == []
        assert listed(below="nowhere") == []


class TestFolder(ObjectsContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return FolderObjects(tmp_path / "landing", tmp_path / "kept")


if WITH_SERVERS:

    class TestGcs(ObjectsContract):
        @pytest.fixture
        def objects(self) -> Objects:
            from marketing_platform.stores.objects_gcs import GcsObjects
            from marketing_platform_tests.servers import gcs

            return GcsObjects(gcs.settings(shared(gcs.running)))


def test_a_file_that_grows_while_it_is_copied_is_taken_later(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "landing", tmp_path / "kept")
    landed = objects.put("a.csv", [b"one"])
    with (tmp_path / "landing" / "a.csv").open("ab") as writer:
        writer.write(b" and more")
    with pytest.raises(ChangedWhileRead, match="once it is still"):
        objects.snapshot(landed)
    assert not any((tmp_path / "kept").iterdir())


def test_a_replaced_file_of_the_same_age_and_size_is_another_generation(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "landing", tmp_path / "kept")
    first = objects.put("a.csv", [b"one"])
    path = tmp_path / "landing" / "a.csv"
    beside = tmp_path / "landing" / "b.csv"
    beside.write_bytes(b"two")
    os.utime(beside, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    beside.replace(path)
    assert [found.generation for found in objects.list()] != [first.generation]


def test_a_landing_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert list(FolderObjects(tmp_path / "nowhere", tmp_path / "kept").list()) == []


def test_a_landed_object_is_described_in_full(tmp_path: Path) -> None:
    landed = FolderObjects(tmp_path / "landing", tmp_path / "kept").put("x/y.csv", [b"abc"])
    assert isinstance(landed, LandedObject)
    assert (landed.name, landed.size) == ("x/y.csv", 3)
