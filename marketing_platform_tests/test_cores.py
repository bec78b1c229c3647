"""Work on all cores comes in order, a few pieces ahead of whoever takes it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from marketing_platform.cores import ahead, cores, in_order

SECONDS = 30


def counted(limit: int, taken: list[int]) -> Iterator[int]:
    for number in range(limit):
        taken.append(number)
        yield number


def test_what_is_made_comes_in_order_whoever_is_first() -> None:
    behind = Event()

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


def test_the_next_is_made_while_one_is_worked_on() -> None:
    made = [Event() for _ in range(3)]

    def source() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number
        raise ValueError("no fourth")

    found = ahead(source())
    for number in range(2):
        assert next(found) == number
        assert made[number + 1].wait(SECONDS)
    assert next(found) == 2
    with pytest.raises(ValueError, match="no fourth"):
        next(found)


def test_only_one_is_made_ahead_and_none_after_the_last() -> None:
    taken: list[int] = []
    found = ahead(counted(10, taken))
    assert [next(found), next(found)] == [0, 1]
    found.close()
    assert taken == [0, 1, 2]
    assert list(ahead(counted(4, []))) == [0, 1, 2, 3]
    assert list(ahead([])) == []
