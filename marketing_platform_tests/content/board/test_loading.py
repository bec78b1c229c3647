"""Every mistake in boards/ is found, with its file, line and key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marketing_platform.content.board.colours import between, contrast
from marketing_platform.content.board.loading import load_design
from marketing_platform.errors import BoardError
from marketing_platform.settings import PROJECT_DIR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROJECT_DIR / "boards", tmp_path / "boards"))


def changed(folder: Path, file: str, before: str, after: str) -> str:
    """What is said after the change."""
    path = folder / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(BoardError) as found:
        load_design(folder)
    return str(found.value)


def test_what_the_project_declares_is_right() -> None:
    design = load_design(PROJECT_DIR / "boards")
    assert list(design.aspects) == ["16:9", "1:1", "9:16", "4:5"]
    assert len(design.themes) >= 4
    assert design.defaults == ("light", "16:9")


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        ("themes.yaml", 'muted: "#596069"', 'muted: "#9aa0a8"', "0.muted: expected a contrast of 4.5:1"),
        ("themes.yaml", "#17594f", "green", "themes.0.accent: expected a colour such as #17594f"),
        ("themes.yaml", "name: dark", "name: light", "themes.1.name: expected a name of its own"),
        ("themes.yaml", "muted:", "mutedd:", "(did you mean 'muted'?)"),
        ("aspects.yaml", "height: 900", "height: 800", "aspects.0.name: expected the aspect of 1600 x 800"),
        ("aspects.yaml", "section: interest,", "section: product,", "aspects.0.columns"),
        ("aspects.yaml", "weight: 0.85", "weight: 0.01", "expected room for a tile of 180 x 170"),
        ("aspects.yaml", "  idea:", "  ideas:", "texts.ideas"),
        ("aspects.yaml", "largest: 54", "largest: 24", "texts.name.smallest: expected at most 24"),
        ("aspects.yaml", "lines: 3, ellipsis: true", "lines: 3, ellipsis: false", "texts.title.ellipsis"),
        ("words.yaml", "for {name}", "for {nam}", "title: expected one of name, found 'nam'"),
        ("words.yaml", "board for you", "board for {name}", "expected text without places, found {name}"),
        ("words.yaml", '"{interests}"', '"{interests"', "tagline: expected text with places"),
        ("words.yaml", "  product: Picked for you\n", "", "headings: expected a heading for product"),
        ("images.yaml", "\nproducts: {}", "\nproducts: {a: not a url}", "products.a: expected a URL"),
        ("images.yaml", "\nproducts: {}", "\nproducts: {a: 'https://x.org/1'}", "that `hosts` names"),
    ],
)
def test_mistakes_are_named(folder: Path, file: str, before: str, after: str, says: str) -> None:
    said = changed(folder, file, before, after)
    assert says in said
    assert said.startswith(f"{folder / file}:")


def test_ideas_for_nobody_in_particular_are_needed(folder: Path) -> None:
    text = (folder / "words.yaml").read_text()
    (folder / "words.yaml").write_text(text.replace("about: []", "about: [Something]"))
    with pytest.raises(BoardError, match="at least one that is about nothing in particular"):
        load_design(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "words.yaml").unlink()
    with pytest.raises(BoardError, match=r"words\.yaml:1: expected a readable file"):
        load_design(folder)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.00),
        ("#0000ff", "#ffffff", 8.59),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


def test_colours_between() -> None:
    assert between("#000000", "#ffffff", 0) == "#000000"
    assert between("#000000", "#ffffff", 1) == "#ffffff"
    assert between("#001020", "#003040", 0.5) == "#002030"
