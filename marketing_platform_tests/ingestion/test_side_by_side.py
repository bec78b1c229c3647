"""The next chunk is made while one is used, and errors come through."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from marketing_platform.ingestion.side_by_side import ahead

SECONDS = 30


def test_the_next_item_is_made_while_one_is_used() -> None:
    second = Event()

    def items() -> Iterator[str]:
        yield "first"
        second.set()
        yield "second"

    given = ahead(items())
    assert next(given) == "first"
    assert second.wait(SECONDS)
    assert list(given) == ["second"]


def test_an_error_of_the_maker_comes_when_its_item_would() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    given = ahead(broken())
    assert next(given) == 1
    with pytest.raises(OSError, match="gone"):
        next(given)
