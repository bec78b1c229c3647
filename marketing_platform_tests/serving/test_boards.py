"""Boards as the API answers them: in every format, without what must not be shown, drawn once."""

from __future__ import annotations

import asyncio
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from marketing_platform.content.board import studio
from marketing_platform.content.board.pictures import BOARD_IMAGES
from marketing_platform_tests.serving.conftest import Platform, products_of
from serving.boards.service import Boards, Drawing
from serving.lookups import Lookups
from serving.overrides import LiveOverrides

URL = "/api/v1/users/u-1/vision-board"


def products_on(board: dict[str, Any]) -> list[str]:
    """The products on a board, by their ids."""
    return [
        tile["item"]
        for section in board["sections"]
        for tile in section["tiles"]
        if section["section"] == "product"
    ]


def test_the_board_is_of_the_person_and_what_is_recommended(client: TestClient) -> None:
    board = client.get(URL).json()
    assert board["title"] == "A board for Adaa Exampleb"
    assert board["release_id"] == "r-gen1"
    assert [section["section"] for section in board["sections"]] == ["product", "interest", "inspiration"]
    assert products_on(board) == products_of(1)
    assert [tile["title"] for tile in board["sections"][1]["tiles"]] == ["Camping", "Hiking"]


@pytest.mark.parametrize("aspect", ["16:9", "1:1", "9:16", "4:5"])
def test_the_picture_has_the_size_that_the_document_says(client: TestClient, aspect: str) -> None:
    board = client.get(URL, params={"aspect": aspect, "theme": "dusk"}).json()
    answer = client.get(URL, params={"aspect": aspect, "theme": "dusk", "format": "png"})
    assert answer.headers["content-type"] == "image/png"
    with Image.open(BytesIO(answer.content)) as picture:
        assert picture.size == (board["width"], board["height"])
        assert picture.getpixel((2, 2)) == (0x24, 0x1B, 0x35)


def test_a_drawing_says_what_browsers_may_do_with_it(client: TestClient) -> None:
    drawing = client.get(URL, params={"format": "svg"}, headers={"Accept": "image/svg+xml"})
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert ElementTree.fromstring(drawing.text).tag == "{http://www.w3.org/2000/svg}svg"
    page = client.get(URL, params={"format": "page"}, headers={"Accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for answer in (drawing, page):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in answer.text


def test_the_same_question_gets_the_same_bytes_and_they_are_drawn_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"format": "png", "theme": "paper"}
    first = client.get(URL, params=asked)
    monkeypatch.setattr(studio, "to_png", None)  # drawing again would fail
    again = client.get(URL, params=asked)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    same = client.get(URL, params=asked, headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_what_is_suppressed_is_off_the_board_at_once(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    first, second, *_ = products_of(1)
    with fresh_platform.client() as client:
        before = client.get(URL)
        assert products_on(before.json())[:2] == [first, second]
        wish = {"kind": "product", "item_id": first, "reason": "out_of_stock"}
        assert client.post("/api/v1/suppressions", json=wish).status_code == 201
        after = client.get(URL, headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert first not in products_on(after.json())
        assert second in products_on(after.json())
        past = client.get(URL, params={"release": "r-gen1"})
        assert products_on(past.json()) == products_on(before.json())


def test_an_erased_user_has_no_board(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    with fresh_platform.client() as client:
        assert client.get(URL, params={"format": "png"}).status_code == 200
        assert client.delete("/api/v1/users/u-1").status_code == 202
        gone = client.get(URL, params={"format": "png"})
        assert (gone.status_code, gone.json()["error_code"]) == (404, "unknown_user")


@pytest.mark.slow
def test_a_new_release_has_boards_of_its_own(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    with fresh_platform.client() as client:
        assert products_on(client.get(URL).json()) == products_of(1)
    fresh_platform.publish(2)
    with fresh_platform.client() as client:
        assert products_on(client.get(URL).json()) == products_of(2)


def test_a_release_from_before_boards_answers_that_it_has_none(fresh_platform: Platform) -> None:
    manifest = fresh_platform.build(1)
    answers = {name: entry for name, entry in manifest.answers.items() if name != BOARD_IMAGES}
    fresh_platform.shelf.publish(manifest.model_copy(update={"answers": answers}), expected=None)
    with fresh_platform.client() as client:
        old = client.get(URL)
        assert (old.status_code, old.json()["error_code"]) == (503, "not_ready")


@pytest.mark.parametrize(
    ("query", "name"), [("theme=neon", "theme"), ("aspect=3:7", "aspect"), ("format=gif", "format")]
)
def test_what_is_not_declared_is_named(client: TestClient, query: str, name: str) -> None:
    refused = client.get(f"{URL}?{query}")
    assert refused.status_code == 422
    assert [problem["name"] for problem in refused.json()["details"]["problems"]] == [name]


def test_an_unknown_user_has_no_board(client: TestClient) -> None:
    refused = client.get("/api/v1/users/nobody/vision-board?format=page")
    assert (refused.status_code, refused.json()["error_code"]) == (404, "unknown_user")


class Swapping:
    """Look-ups between whose two questions another release came to serve, once."""

    def __init__(self) -> None:
        self.serving = ["r-old", "r-new", "r-new", "r-new"]

    async def ask(self, *_: Any) -> tuple[Any, bytes]:
        return SimpleNamespace(release_id=self.serving.pop(0)), b"{}"

    async def ask_once(self, *_: Any, **__: Any) -> tuple[Any, frozenset[str], bytes]:
        served = self.serving.pop(0)
        return SimpleNamespace(release_id=served), frozenset(), served.encode()


def test_a_board_is_of_one_release_although_another_comes_to_serve_meanwhile(
    fresh_platform: Platform,
) -> None:
    async def drawn() -> Drawing:
        nothing_held_back = cast("LiveOverrides", SimpleNamespace(standing=lambda _: None))
        boards = Boards(fresh_platform.settings.boards_dir, cast("Lookups", Swapping()), nothing_held_back)
        async with boards.running():
            return await boards.drawn("u-1", boards.look("png", None, None), pinned=None, has="")

    found = asyncio.run(drawn())
    assert (found.manifest.release_id, found.body) == ("r-new", b"r-new")
