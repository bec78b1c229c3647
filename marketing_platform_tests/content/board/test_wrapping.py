"""Lines break where Unicode says, are whole, and fit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uniseg.linebreak import line_break_units

from marketing_platform.content.board.typography import clean
from marketing_platform.content.board.wrapping import ELLIPSIS, Setting, _units, shortened, wrapped
from marketing_platform_tests.content.board.people import fonts

REGULAR = Setting("regular", 18, 3)
WORDS = st.lists(
    st.one_of(
        st.text(alphabet="abcdefghijklmnopäöüßéčŁ", min_size=1, max_size=12),
        st.sampled_from(
            [
                "2-Person",
                "45",
                "L",
                "3,5",
                "don't",
                "“Hut”",
                "(new)",
                "and/or",
                "Boots,",
                "why?",
                "&",
                "–",
                "50%",
            ]
        ),
    ),
    min_size=1,
    max_size=8,
)


@given(WORDS)
@settings(deadline=None)
def test_the_short_way_finds_the_breaks_of_the_library(words: list[str]) -> None:
    text = " ".join(words)
    assert [unit.rstrip() for unit in _units(text)] == [unit.rstrip() for unit in line_break_units(text)]


@given(st.text(max_size=60).map(clean), st.integers(40, 600))
@settings(deadline=None)
def test_lines_hold_the_whole_text_and_fit(text: str, width: int) -> None:
    text = fonts().shown(text)
    found = wrapped(fonts(), text, REGULAR, width)
    if found is not None:
        assert "".join(found.lines).replace(" ", "") == text.replace(" ", "")
        assert len(found.lines) <= REGULAR.lines
        assert all(fonts().length(line, "regular", 18) <= width for line in found.lines)


@given(st.text(min_size=1, max_size=200).map(clean), st.integers(60, 400))
@settings(deadline=None)
def test_what_is_shortened_fits_and_says_so(text: str, width: int) -> None:
    text = fonts().shown(text)
    found = shortened(fonts(), text, REGULAR, width)
    assert found is not None
    assert all(fonts().length(line, "regular", 18) <= width for line in found.lines)
    assert len(found.lines) <= REGULAR.lines
    if found.shortened:
        kept = "".join(found.lines).removesuffix(ELLIPSIS)
        assert text.replace(" ", "").startswith(kept.replace(" ", ""))
    else:
        assert "".join(found.lines).replace(" ", "") == text.replace(" ", "")


def test_lines_are_of_about_one_length() -> None:
    text = "Goes with your Tarn Insulated Trail Bottle."
    assert wrapped(fonts(), text, REGULAR, 330) is not None
    first, second = wrapped(fonts(), text, REGULAR, 330).lines  # pyright: ignore[reportOptionalMemberAccess]
    assert len(second) > 12, (first, second)


def test_a_letter_with_its_marks_is_never_cut() -> None:
    found = shortened(fonts(), "e\u0301" * 40, Setting("regular", 18, 1), 100)
    assert found is not None
    assert found.lines[0].removesuffix(ELLIPSIS).endswith("\u0301")


def test_no_word_is_broken_that_has_room_in_a_smaller_size() -> None:
    assert wrapped(fonts(), "Donaudampfschifffahrt", Setting("regular", 40, 3), 300) is None
    assert wrapped(fonts(), "Donaudampfschifffahrt", Setting("regular", 20, 3), 300) is not None


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("  two\n lines\t", "two lines"),
        ("a\x00b\x07c", "abc"),
        ("\u202eevil\u202c", "evil"),
        ("\ud800x", "x"),
        ("Mu\u0308ller", "Müller"),
        ("👩\u200d🚀", "👩🚀"),
        ("\ufeff", ""),
    ],
)
def test_texts_of_unknown_origin_become_one_clean_line(given_text: str, cleaned: str) -> None:
    assert clean(given_text) == cleaned


@given(st.text(max_size=50))
def test_what_is_clean_stays_so(text: str) -> None:
    assert clean(clean(text)) == clean(text)
