"""Work on all cores comes in order, a few pieces ahead of whoever takes it."""

from __future__ import annotations

import threading

import pytest

from marketing_platform.cores import cores, in_order


def test_what_is_made_comes_in_order_whoever_is_first() -> None:
    behind = threading.Event()

    def make(number: int) -> int:
        if number == 0 and cores() > 1:
            assert behind.wait(10), "the next one was not begun meanwhile"
        behind.set()
        return number * number

    assert list(in_order(make, range(20))) == [number * number for number in range(20)]
    assert list(in_order(make, [])) == []


def test_only_a_few_are_made_ahead_and_a_failure_ends_it() -> None:
    begun: list[int] = []

    def make(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("no fourth")
        return number

    found = in_order(make, range(1_000))
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no fourth"):
        next(found)
    assert len(begun) <= 3 + 2 * cores() + 1
