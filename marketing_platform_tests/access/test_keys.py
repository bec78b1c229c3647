"""What a key looks like: new ones differ, a mistyped one is told without asking, none is stored."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marketing_platform.access.keys import checksum, key_id, mac, new_key

_BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY = "mp_0123456789_" + "a" * 32
KEY = f"{KEY}_{checksum(KEY)}"


def test_a_new_key_has_the_shape_that_scanners_look_for() -> None:
    made = {new_key() for _ in range(200)}
    assert len(made) == 200
    assert len({key_id(key) for key in made}) == 200
    for key in made:
        prefix, public, private, ending = key.split("_")
        assert (prefix, len(public), len(private), len(ending)) == ("mp", 10, 32, 6)
        assert key_id(key) == f"mp_{public}"
        assert len(key) == 53


def test_every_letter_of_a_secret_is_drawn_from_all_there_are() -> None:
    drawn = "".join(new_key().split("_")[2] for _ in range(200))
    assert set(drawn) == set(_BASE_62)


@given(st.text(max_size=60))
def test_the_checksum_is_the_crc_of_what_is_before_it(body: str) -> None:
    digits = checksum(body)
    value = 0
    for digit in digits:
        value = value * 62 + _BASE_62.index(digit)
    assert (len(digits), value) == (6, zlib.crc32(body.encode()))


@given(st.integers(0, len(KEY) - 1), st.characters(codec="ascii"))
def test_one_wrong_letter_is_noticed(place: int, letter: str) -> None:
    assume(KEY[place] != letter)
    assert key_id(KEY[:place] + letter + KEY[place + 1 :]) is None


@given(st.integers(0, len(KEY) - 2))
def test_two_letters_in_the_wrong_order_are_noticed(place: int) -> None:
    assume(KEY[place] != KEY[place + 1])
    assert key_id(KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]) is None


@given(st.text())
def test_whatever_is_no_key_is_told_to_be_none(text: str) -> None:
    assert key_id(text) is None


@pytest.mark.parametrize("wrong", [KEY + "\n", " " + KEY, KEY.upper(), KEY[:-1], KEY + KEY], ids=range(5))
def test_nearly_a_key_is_none(wrong: str) -> None:
    assert key_id(wrong) is None


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_what_is_stored_depends_on_key_and_secret(one: bytes, other: bytes) -> None:
    assume(one != other)
    other_key = new_key()
    assert len({mac(KEY, one), mac(KEY, other), mac(other_key, one)}) == 3
    assert len(mac(KEY, one)) == 32
