"""`board` and `boards validate` on a release that is there."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from PIL import Image

from marketing_platform.releases.overrides import Wish
from marketing_platform.releases.records import open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import command
from marketing_platform_tests.conftest import PROJECT
from marketing_platform_tests.serving.conftest import Platform, products_of


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    settings = Settings(data_dir=tmp_path_factory.mktemp("platform"))  # pyright: ignore[reportCallIssue]
    made = Platform(settings, open_stores(settings), open_records(settings).shelf)
    made.publish(1)
    return made


def test_a_board_is_written_in_the_format_of_its_name(platform: Platform, tmp_path: Path) -> None:
    picture, page = tmp_path / "anna.png", tmp_path / "anna.html"
    options = ("--theme", "dusk", "--aspect", "1:1")
    said = command(
        "board", "u-1", "-o", str(picture), *options, "--json", data_dir=str(platform.settings.data_dir)
    )
    assert said.document == {
        "release_id": "r-gen1",
        "file": str(picture),
        "bytes": picture.stat().st_size,
        "theme": "dusk",
        "aspect": "1:1",
    }
    with Image.open(picture) as drawn:
        assert drawn.size == (1200, 1200)
    shown = command("board", "u-1", "-o", str(page), data_dir=str(platform.settings.data_dir), columns="300")
    assert "light, 16:9" in shown.out
    assert "A board for Adaa Exampleb" in page.read_text()


def test_it_is_the_board_that_the_api_answers(platform: Platform, tmp_path: Path) -> None:
    written = tmp_path / "board.json"
    command("board", "u-1", "-o", str(written), "--aspect", "4:5", data_dir=str(platform.settings.data_dir))
    with platform.client() as client:
        answered = client.get("/api/v1/users/u-1/vision-board?aspect=4:5").json()
    assert {**answered, **orjson.loads(written.read_bytes())} == answered


def test_suppressed_products_are_off_it(platform: Platform, tmp_path: Path) -> None:
    first = products_of(1)[0]
    wish = Wish("hidden", kind="product", item_id=first)
    overrides = open_records(platform.settings).overrides
    made, _ = overrides.suppress(wish, who="tests", now=datetime.now(UTC))
    command("board", "u-1", "-o", str(tmp_path / "b.json"), data_dir=str(platform.settings.data_dir))
    overrides.lift(made.suppression_id, who="tests", now=datetime.now(UTC))
    assert first not in (tmp_path / "b.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("u-1", "-o", "board.gif"), "expected a name that ends in .png"),
        (("nobody", "-o", "board.png"), "the release r-gen1 knows no such user"),
        (("u-1", "--theme", "neon"), "--theme: expected one of light, dark"),
        (("u-1", "--aspect", "2:1"), "--aspect: expected one of 16:9"),
    ],
)
def test_what_cannot_be_drawn_is_said(platform: Platform, arguments: tuple[str, ...], says: str) -> None:
    refused = command("board", *arguments, data_dir=str(platform.settings.data_dir))
    assert refused.code == 1
    assert says in " ".join(refused.err.split())


def test_without_a_release_there_is_no_board(tmp_path: Path) -> None:
    refused = command("board", "u-1", "-o", str(tmp_path / "b.png"), data_dir=str(tmp_path))
    assert refused.code == 1
    assert "no release is there to be shown" in refused.err


def test_designs_are_right_or_it_is_said_what_is_not(tmp_path: Path) -> None:
    assert command("boards", "validate", "--json").document == {
        "themes": ["light", "dark", "meadow", "dusk", "paper"],
        "aspects": ["16:9", "1:1", "9:16", "4:5"],
        "errors": [],
    }
    assert "contrast" in command("boards", "validate").out
    shutil.copytree(PROJECT / "boards", tmp_path, dirs_exist_ok=True)
    themes = tmp_path / "themes.yaml"
    themes.write_text(themes.read_text().replace("#596069", "#cccccc", 1))
    refused = command("boards", "validate", "--boards", str(tmp_path), columns="300")
    assert refused.code == 1
    assert "themes.yaml:8: themes.0.muted: expected a contrast of 4.5:1" in refused.out
    listed = command("boards", "validate", "--boards", str(tmp_path), "--json")
    assert (listed.code, len(listed.document["errors"])) == (1, 2)
