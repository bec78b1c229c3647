"""The promise behind the embedded stores: a name is complete or not there, whatever dies when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform_tests.stores.processes import killed_half_way, then_hang


def contents(folders: NamedFolders, name: str) -> str:
    with folders.open(name) as folder:
        return (folder.path / "content").read_text()


def write(folders: NamedFolders, name: str, content: str) -> None:
    with folders.replace(name) as folder:
        (folder / "content").write_text(content)


def hidden_folders(root: Path) -> int:
    return sum(path.is_dir() for path in root.glob(".*"))


def write_and_hang(folders: NamedFolders, half_way: Any) -> None:
    with folders.replace("a") as folder:
        (folder / "content").write_text("half")
        list(then_hang(None, half_way))


@pytest.fixture
def folders(tmp_path: Path) -> NamedFolders:
    return NamedFolders(tmp_path, "test folder")


def test_a_name_appears_when_the_block_ends(folders: NamedFolders):
    with folders.replace("a") as folder:
        (folder / "content").write_text("1")
        assert folders.names() == []
    assert folders.names() == ["a"]
    assert contents(folders, "a") == "1"


def test_an_error_leaves_what_was_there(folders: NamedFolders, tmp_path: Path):
    write(folders, "a", "1")
    with pytest.raises(FileNotFoundError), folders.replace("a") as folder:
        (folder / "content" / "nowhere").write_text("2")
    assert contents(folders, "a") == "1"
    assert hidden_folders(tmp_path) == 1


def test_a_kill_leaves_what_was_there_and_the_next_write_cleans_up(folders: NamedFolders, tmp_path: Path):
    write(folders, "a", "1")
    killed_half_way(write_and_hang, folders)
    assert contents(folders, "a") == "1"
    assert hidden_folders(tmp_path) == 2
    write(folders, "b", "2")
    assert hidden_folders(tmp_path) == 2
    assert [contents(folders, name) for name in folders.names()] == ["1", "2"]


def test_writers_of_several_names_leave_each_other_alone(folders: NamedFolders):
    with folders.replace("a") as first:
        write(folders, "b", "2")
        (first / "content").write_text("1")
    assert [contents(folders, name) for name in folders.names()] == ["1", "2"]


def test_an_open_folder_outlives_its_name_and_goes_when_closed(folders: NamedFolders, tmp_path: Path):
    write(folders, "a", "1")
    opened = folders.open("a")
    write(folders, "a", "2")
    folders.drop("a")
    assert (opened.path / "content").read_text() == "1"
    opened.close()
    opened.close()
    write(folders, "b", "3")
    assert hidden_folders(tmp_path) == 1


def test_private_folders_have_no_name_and_go(folders: NamedFolders, tmp_path: Path):
    with folders.private() as folder:
        write(folders, "a", "1")
        assert folder.is_dir()
        assert folders.names() == ["a"]
    assert hidden_folders(tmp_path) == 1


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a b"])
def test_a_name_is_a_plain_file_name(folders: NamedFolders, name: str):
    with pytest.raises(ValueError, match="cannot name"), folders.replace(name):
        pass


def test_nothing_is_touched_before_the_first_write(tmp_path: Path):
    folders = NamedFolders(tmp_path / "later", "test folder")
    assert folders.names() == []
    folders.drop("a")
    assert not (tmp_path / "later").exists()
