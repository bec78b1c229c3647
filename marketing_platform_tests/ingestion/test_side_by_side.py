"""Chunks that are worked on in several threads come back in order, few at a time, and errors come through."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from marketing_platform.ingestion.side_by_side import ahead, in_order

SECONDS = 30


def counted(limit: int, taken: list[int]) -> Iterator[int]:
    for number in range(limit):
        taken.append(number)
        yield number


def test_results_come_in_order_whoever_is_done_first() -> None:
    later_is_done = Event()

    def work(number: int) -> int:
        if number == 0:
            assert later_is_done.wait(SECONDS)
        else:
            later_is_done.set()
        return number * 10

    assert list(in_order(work, range(5), threads=2)) == [0, 10, 20, 30, 40]


def test_as_many_as_asked_for_work_at_once() -> None:
    both = Barrier(2)
    assert list(in_order(lambda _: both.wait(SECONDS) >= 0, range(4), threads=2)) == [True] * 4


def test_no_more_is_taken_than_is_worked_on_and_waits() -> None:
    taken: list[int] = []
    results = in_order(lambda number: number, counted(100, taken), threads=2)
    assert [next(results), next(results)] == [0, 1]
    assert len(taken) <= 2 + 2 + 1


def test_an_error_comes_through_and_ends_the_work() -> None:
    taken: list[int] = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        list(in_order(work, counted(1000, taken), threads=2))
    assert len(taken) < 10


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
