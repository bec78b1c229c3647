"""Whatever people and products are called, and however many there are: nothing overlaps or runs out."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.content.board.areas import header
from marketing_platform.content.board.colours import contrast
from marketing_platform.content.board.composing import Content, compose
from marketing_platform.content.board.document import Board, Box, Line
from marketing_platform.content.board.layout import laid_out
from marketing_platform.content.board.png import to_png
from marketing_platform.content.board.typography import ASCENT, LINE, REPLACEMENT, Fonts
from marketing_platform.content.people import Interest
from marketing_platform_tests.content.board.people import (
    ASPECTS,
    THEMES,
    board_of,
    bought,
    design,
    fonts,
    person,
    product,
    sample,
)

# Names as they come, of all scripts, and the worst: long words, controls, changes of direction, markup.
NAMES = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="WM ", min_size=1, max_size=300),
    st.text(alphabet="אבגדה שלום مرحبا 123 abc", max_size=60),
    st.sampled_from(
        [
            "",
            " ",
            "\u202eevil",
            "👩‍👩‍👧‍👦 family",
            "<script>alert(1)</script>",
            "Ωμέγα & Co",
            "汉字" * 40,
            "x" * 500,
        ]
    ),
)
INTERESTS = st.builds(
    Interest, NAMES, st.floats(0, 1), st.sampled_from(["stated", "purchases"]), st.just(1.0)
)


@st.composite
def contents(draw: st.DrawFn) -> Content:
    names = draw(st.lists(NAMES, max_size=14))
    products = [
        product(number, name, draw(st.none() | NAMES), draw(st.sampled_from([[], ["Product"], ["User"]])))
        for number, name in enumerate(names)
    ]
    known = person(
        draw(st.none() | NAMES),
        draw(st.lists(INTERESTS, max_size=8)),
        [bought("p-0", draw(st.none() | NAMES))],
    )
    return compose(known, products, design().words, lambda *_: None)


def extent(line: Line) -> Box:
    """The box of a line, in whole pixels inside of it."""
    left = min(run.x for run in line.runs)
    right = max(run.x + run.width for run in line.runs)
    top = line.y - ASCENT * line.size
    return Box(
        x=int(left + 0.99), y=int(top + 0.99), width=int(right - left), height=int(LINE * line.size - 0.99)
    )


def assert_in_order(board: Board) -> None:
    boxes = [header(design().aspects[board.aspect]), *(section.box for section in board.sections)]
    for one, other in combinations(boxes, 2):
        assert not one.meets(other)
    for section in board.sections:
        assert section.box.within(board.canvas)
        for tile in section.tiles:
            assert tile.box.within(section.box)
            assert tile.picture.box.within(tile.box)
            assert tile.bar is None or tile.bar.box.within(tile.box)
            texts = [extent(line) for line in tile.lines]
            others = [tile.picture.box, *([tile.bar.box] if tile.bar else [])]
            assert all(text.within(tile.box) for text in texts)
            assert not any(one.meets(other) for one, other in combinations([*texts, *others], 2))
        for line in section.lines:
            assert extent(line).within(section.box)
            assert not any(extent(line).meets(tile.box) for tile in section.tiles)
    for one, other in combinations([tile.box for tile in board.tiles], 2):
        assert not one.meets(other)
    for line in board.lines:
        assert extent(line).within(boxes[0])


@given(contents(), st.sampled_from(THEMES), st.sampled_from(ASPECTS))
@settings(max_examples=60, deadline=None)
def test_everything_stands_in_its_place_and_meets_nothing(content: Content, theme: str, aspect: str) -> None:
    board = board_of(content, theme, aspect)
    assert_in_order(board)


@given(contents(), st.sampled_from(ASPECTS))
@settings(max_examples=40, deadline=None)
def test_letters_are_as_long_as_the_document_says_and_have_shapes(content: Content, aspect: str) -> None:
    board = board_of(content, aspect=aspect)
    for line in (*board.lines, *(line for tile in board.tiles for line in tile.lines)):
        for run in line.runs:
            measured = fonts().at(run.face, line.size, run.rtl)
            length = measured.getlength(run.text, direction=fonts().direction(run.rtl)) / 2
            assert run.width == pytest.approx(length, abs=0.01)
            assert all(fonts().has(letter, run.face) for letter in run.text)


@given(contents(), st.sampled_from(ASPECTS))
@settings(max_examples=40, deadline=None)
def test_texts_are_whole_or_said_not_to_be(content: Content, aspect: str) -> None:
    board = board_of(content, aspect=aspect)
    for tile in board.tiles:
        said = {role: [line for line in tile.lines if line.role == role] for role in ("subtitle", "why")}
        for role, lines in said.items():
            text = getattr(tile, role)
            written = "".join(_text(line) for line in lines).replace(" ", "")
            if role in tile.left_out or text is None:
                assert not lines
            elif not any(run.rtl for line in lines for run in line.runs):
                assert written == fonts().shown(text).replace(" ", "")
            assert not any(line.shortened for line in lines)
        title = [line for line in tile.lines if line.role in ("title", "idea")]
        assert title
        whole = "".join(_text(line) for line in title).replace(" ", "")
        if title[-1].shortened:
            assert whole.endswith("…")
        elif not any(run.rtl for line in title for run in line.runs):
            assert whole == fonts().shown(tile.title).replace(" ", "")


def _text(line: Line) -> str:
    return "".join(run.text for run in line.runs)


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_stands_out_and_none_is_smaller_than_declared(theme: str) -> None:
    for aspect in ASPECTS:
        board = board_of(sample(), theme, aspect)
        lines = [*board.lines, *(line for section in board.sections for line in section.lines)]
        lines += [line for tile in board.tiles for line in tile.lines]
        for line in lines:
            assert contrast(line.fill, line.behind) >= 4.5
            smallest = next(text.smallest for role, text in design().texts.items() if role == line.role)
            assert line.size >= smallest * design().aspects[aspect].scale - 0.25


def test_tiles_of_a_section_have_letters_of_one_size() -> None:
    board = board_of(sample())
    sizes = {line.size for tile in board.sections[0].tiles for line in tile.lines if line.role == "title"}
    assert len(sizes) == 1


def test_sections_without_items_leave_their_room_to_the_others() -> None:
    everything, products = sample(), board_of(sample()).sections[0]
    without = Content("u-1", "-", "-", {"product": everything.items["product"]})
    alone = board_of(without).sections
    assert [section.section for section in alone] == ["product"]
    assert alone[0].box.width > products.box.width


def test_more_items_than_fit_are_counted() -> None:
    many = [product(number, f"Product {number}") for number in range(30)]
    content = compose(person(), many, design().words, lambda *_: None)
    for aspect in ASPECTS:
        section = board_of(content, aspect=aspect).sections[0]
        assert len(section.tiles) + section.hidden == 30
        assert len(section.tiles) >= 4


def test_letters_that_no_font_has_are_shown_as_a_box_and_named() -> None:
    content = compose(person("Anna 🌸 汉"), [], design().words, lambda *_: None)
    board = board_of(content)
    assert f"A board for Anna {REPLACEMENT} {REPLACEMENT}" == "".join(_text(line) for line in board.lines[:1])
    assert board.title == "A board for Anna 🌸 汉"
    assert any("U+1F338, U+6C49" in note for note in board.notes)


def test_without_raqm_letters_of_the_right_come_one_by_one_and_a_note_says_so() -> None:
    plain = Fonts()
    plain.shapes = False
    content = compose(person(), [product(1, "خيمة عائلية")], design().words, lambda *_: None)
    board = laid_out(content, design(), design().themes["light"], design().aspects["16:9"], plain)
    assert_in_order(board)
    assert board.notes == (
        "Right-to-left text comes letter by letter: this machine's Pillow lacks Raqm or FriBiDi.",
    )
    assert to_png(board, plain, lambda _: b"").startswith(b"\x89PNG")


def test_a_line_that_begins_from_the_left_stays_there() -> None:
    content = compose(person("محمد"), [], design().words, lambda *_: None)
    board = board_of(content)
    assert min(run.x for run in board.lines[0].runs) == header(design().aspects["16:9"]).x


def test_a_name_that_reads_from_the_right_stands_at_the_right() -> None:
    content = compose(person(), [product(1, "אוהל משפחתי")], design().words, lambda *_: None)
    tile = board_of(content).sections[0].tiles[0]
    (line,) = (line for line in tile.lines if line.role == "title")
    assert all(run.rtl and run.face == "hebrew" for run in line.runs)
    room = tile.picture.box.right if tile.picture.box.width == tile.box.width else tile.box.right
    assert extent(line).right == pytest.approx(room - 16, abs=2)
