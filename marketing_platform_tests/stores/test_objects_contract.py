"""What every landing zone does. A new one adds a class of three lines at the end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from marketing_platform.errors import UnknownName
from marketing_platform.stores.objects_folder import ChangedWhileRead, FolderObjects
from marketing_platform.stores.protocols import LandedObject, Objects


class ObjectsContract:
    """The behaviour; `objects` is a fixture of the class that names an implementation."""

    def test_what_is_put_is_listed_once_complete_in_order_of_name(self, objects: Objects) -> None:
        objects.put("b/ä 'quoted'.csv", [b"x", b"y"])
        objects.put("a.csv", [])
        landed = list(objects.list())
        assert [(found.name, found.size) for found in landed] == [("a.csv", 0), ("b/ä 'quoted'.csv", 2)]
        assert all(found.updated_at.tzinfo is not None for found in landed)

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

    def test_a_version_that_is_no_longer_there_is_not_mistaken_for_another(self, objects: Objects) -> None:
        landed = objects.put("a.csv", [b"one"])
        objects.put("a.csv", [b"two"])
        with pytest.raises(OSError, match=r"a\.csv"):
            objects.snapshot(landed)

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


class TestFolder(ObjectsContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return FolderObjects(tmp_path / "landing", tmp_path / "kept")


def test_unfinished_and_hidden_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("a.csv.tmp", "b.part", ".hidden", "c.csv~", ".git/d.csv", "e.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [found.name for found in FolderObjects(tmp_path, tmp_path / ".kept").list()] == ["e.csv"]


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
