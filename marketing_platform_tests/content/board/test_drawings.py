"""Pictures come from the document alone, are the same every time, and hold nothing that could run."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from marketing_platform.content.board.artwork import artwork
from marketing_platform.content.board.composing import Content, compose
from marketing_platform.content.board.document import Board, Box
from marketing_platform.content.board.page import to_page
from marketing_platform.content.board.png import to_png
from marketing_platform.content.board.svg import to_svg
from marketing_platform.content.people import Interest
from marketing_platform_tests.content.board.people import (
    ASPECTS,
    THEMES,
    board_of,
    design,
    fonts,
    person,
    product,
    sample,
)

SNAPSHOTS = Path(__file__).parent / "snapshots"
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "]]></style><script>",
            "javascript:alert(1)",
            "&lt;b&gt;",
            "</title></svg>",
            "'onload='x",
            "{name}{interests}{0}",
            "\ud800\x00\ufffe\x0b",
        ]
    ),
)
_SVG_TAGS = {"svg", "title", "style", "rect", "text", "g", "clipPath", "circle", "polygon", "image"}
_PAGE_TAGS = {tag.lower() for tag in _SVG_TAGS} | {
    *(
        "html",
        "head",
        "meta",
        "body",
        "main",
        "h1",
        "h2",
        "p",
        "figure",
        "figcaption",
        "div",
        "a",
        "ul",
        "li",
    ),
}


def no_images(digest: str) -> bytes:
    raise LookupError(digest)


def hostile(name: str, interest: str, product_name: str) -> Content:
    interests = [Interest(interest, 0.5, "stated", 1.0)]
    return compose(person(name, interests), [product(1, product_name)], design().words, lambda *_: None)


@given(HOSTILE, HOSTILE, HOSTILE)
@settings(max_examples=40, deadline=None)
def test_a_drawing_is_well_formed_and_holds_only_shapes_and_text(name: str, one: str, other: str) -> None:
    board = board_of(hostile(name, one, other))
    root = ElementTree.fromstring(to_svg(board, fonts(), no_images))
    for element in root.iter():
        tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
        assert tag in _SVG_TAGS
        assert not [key for key in element.attrib if key.lower().startswith("on") or "href" in key]
        if tag == "style":
            assert set(re.findall(r"url\(([a-z]+:[a-z]+/[a-z]+)", element.text or "")) <= {"data:font/woff"}
    assert root.findtext("{http://www.w3.org/2000/svg}title") == board.title
    written = "".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text"))
    tile = board.sections[0].tiles[0]
    if not any(line.shortened or any(run.rtl for run in line.runs) for line in tile.lines):
        assert fonts().shown(tile.title).replace(" ", "") in written.replace(" ", "")


class Parsed(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(HOSTILE, HOSTILE, HOSTILE)
@settings(max_examples=12, deadline=None)
def test_a_page_holds_no_script_no_handler_and_loads_nothing(name: str, one: str, other: str) -> None:
    content = hostile(name, one, other)
    page = to_page(board_of(content), [board_of(content, "dark")], [], fonts(), no_images).decode()
    parsed = Parsed(page)
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in parsed.tags:
        assert tag in _PAGE_TAGS
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("href", "src"):
                assert re.match(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]+$", value or "")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("aspect", ASPECTS)
def test_the_document_alone_decides_the_pictures(theme: str, aspect: str) -> None:
    board = board_of(sample(), theme, aspect)
    read = Board.model_validate_json(board.model_dump_json())
    assert read == board
    assert to_svg(read, fonts(), no_images) == to_svg(board, fonts(), no_images)
    assert to_png(read, fonts(), no_images) == to_png(board, fonts(), no_images)


def test_the_page_offers_the_very_pictures() -> None:
    board = board_of(sample())
    page = to_page(board, [], [], fonts(), no_images).decode()
    offered = re.findall(r'href="data:([a-z/+]+);base64,([^"]+)"', page)
    assert [(media, b64decode(content)) for media, content in offered] == [
        ("image/png", to_png(board, fonts(), no_images)),
        ("image/svg+xml", to_svg(board, fonts(), no_images)),
    ]


def test_the_document_of_a_known_person_has_not_changed() -> None:
    """To take a change on purpose: remove the file, run the test, look at what it wrote."""
    path, now = SNAPSHOTS / "board.json", board_of(sample()).model_dump_json(indent=1) + "\n"
    if not path.exists():
        path.write_text(now)
        pytest.fail(f"{path.name} was not there and is written: look at it")
    assert now == path.read_text()


def test_the_picture_of_a_known_person_has_not_changed() -> None:
    """Within a shade: the file has fewer colours, and another Pillow may round otherwise."""
    path, now = SNAPSHOTS / "board.png", to_png(board_of(sample()), fonts(), no_images)
    if not path.exists():
        with Image.open(BytesIO(now)) as drawn:
            drawn.quantize(256, Image.Quantize.FASTOCTREE).save(path, optimize=True)
        pytest.fail(f"{path.name} was not there and is written: look at it")
    with Image.open(path) as before, Image.open(BytesIO(now)) as after:
        assert before.size == after.size
        difference = ImageStat.Stat(ImageChops.difference(before.convert("RGB"), after.convert("RGB")))
    assert max(difference.mean) < 1


def test_an_image_covers_its_place_in_all_pictures() -> None:
    red = BytesIO()
    Image.new("RGB", (300, 100), "#ff0000").save(red, "JPEG")
    content = compose(person(), [product(1, "Tent")], design().words, lambda *_: "a" * 64)
    board = board_of(content)
    box = board.sections[0].tiles[0].picture.box
    assert board.sections[0].tiles[0].picture.shapes == ()
    with Image.open(BytesIO(to_png(board, fonts(), lambda _: red.getvalue()))) as picture:
        for x, y in ((box.x + 40, box.y + 40), (box.right - 40, box.bottom - 5)):
            pixel = picture.getpixel((x, y))
            assert isinstance(pixel, tuple)
            assert pixel[0] > 240
            assert max(pixel[1:]) < 20
    drawing = to_svg(board, fonts(), lambda _: red.getvalue()).decode()
    hrefs = re.findall(r'<image [^>]*href="data:image/jpeg;base64,([^"]+)"', drawing)
    assert [b64decode(href) for href in hrefs] == [red.getvalue()] * len(hrefs) != []


def shapes_of(item: str, category: str | None = "Camping") -> Iterator[object]:
    made = artwork(item, category, design().themes["light"], Box(x=0, y=0, width=300, height=200))
    yield made.background
    yield from made.shapes


def test_artwork_is_the_same_for_the_same_item_and_differs_between_items() -> None:
    assert list(shapes_of("p-1")) == list(shapes_of("p-1"))
    assert len({str(list(shapes_of(f"p-{number}"))) for number in range(50)}) == 50


@given(HOSTILE, st.none() | HOSTILE, st.integers(1, 900), st.integers(1, 900))
def test_artwork_of_anything_has_few_shapes(item: str, category: str | None, width: int, height: int) -> None:
    box = Box(x=5, y=5, width=width, height=max(height, width // 40))
    made = artwork(item, category, design().themes["dark"], box)
    assert 1 <= len(made.shapes) <= 400
