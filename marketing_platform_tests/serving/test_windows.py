"""Sliding windows: never more than they allow, never a wait that leads nowhere, nothing remembered long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.limits import windows
from serving.limits.windows import Policy, Window

START = 1_800_000_000.0  # some moment, in Unix time


def asked(window: Window, now: float, client: str = "a") -> bool:
    if window.left(client, now) < 1:
        return False
    window.count(client)
    return True


@given(
    quota=st.integers(1, 20),
    seconds=st.sampled_from([1, 60]),
    gaps=st.lists(st.floats(0, 30), max_size=200),
)
def test_a_fixed_window_never_lets_more_than_its_quota_through(
    quota: int, seconds: int, gaps: list[float]
) -> None:
    window = Window(Policy("test", quota, seconds))
    now, passed = START, list[float]()
    for gap in gaps:
        now += gap
        if asked(window, now):
            passed.append(now)
    for number in {int(at // seconds) for at in passed}:
        assert sum(int(at // seconds) == number for at in passed) <= quota


@given(
    quota=st.integers(1, 50),
    seconds=st.sampled_from([1, 60]),
    offset=st.floats(0, 59),
    more=st.integers(0, 50),
)
def test_after_the_wait_a_request_fits(quota: int, seconds: int, offset: float, more: int) -> None:
    window = Window(Policy("test", quota, seconds))
    for _ in range(more):
        asked(window, START)
    now = START + offset
    while asked(window, now):
        pass
    wait = window.wait("a", now)
    assert 1 <= wait <= 2 * seconds
    assert asked(window, now + wait + 1e-3)  # a clock's resolution


def test_the_window_slides() -> None:
    window = Window(Policy("test", 10, 60))
    assert [asked(window, START + 59) for _ in range(10)] == [True] * 10
    # Two windows meet here, and a fixed one would let ten more through.
    assert not asked(window, START + 61)
    assert window.left("a", START + 90) == 5


def test_clients_do_not_use_up_what_others_have() -> None:
    window = Window(Policy("test", 1, 1))
    assert asked(window, START, "a")
    assert not asked(window, START, "a")
    assert asked(window, START, "b")


def test_a_clock_that_is_set_back_or_forth_locks_nobody_out() -> None:
    window = Window(Policy("test", 1, 60))
    assert asked(window, START)
    assert asked(window, START - 86_400)
    assert asked(window, START + 86_400)


def test_millions_of_addresses_take_no_more_memory_than_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_MOST", 100)
    window = Window(Policy("test", 3, 60))
    seen = [asked(window, START, f"client-{number}") for number in range(1000)]
    assert seen == [True] * 103 + [False] * 897  # the last ones share three
    assert len(window._now) == 101


def test_others_are_told_of_those_who_ask_much() -> None:
    window = Window(Policy("test", 100, 60))
    for _ in range(10):
        asked(window, START)
    assert window.untold(START)[1] == {}
    for _ in range(3):
        asked(window, START)
    assert window.untold(START)[1] == {"a": 13}
    asked(window, START)
    assert window.untold(START)[1] == {"a": 1}


def test_what_others_counted_counts_here() -> None:
    here, there = Window(Policy("test", 10, 60)), Window(Policy("test", 10, 60))
    for _ in range(4):
        asked(here, START)
    for _ in range(5):
        asked(there, START)
    number, told = here.untold(START)
    assert (number, told) == (int(START // 60), {"a": 4})
    asked(here, START)  # while the others are being asked
    here.learn(number, {"a": (0, 9)})
    assert here.left("a", START) == 0
    assert here.untold(START)[1] == {"a": 1}
    here.learn(number - 1, {"a": (0, 0)})  # an answer that comes too late
    assert here.left("a", START) == 0
