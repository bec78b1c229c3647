"""A circuit breaker: opens after failures in a row, and one at a time tries whether it is over."""

from __future__ import annotations

from marketing_platform.stores.breaker import Breaker


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def breaker(failures: int = 3) -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker(failures=failures, pause_seconds=5, clock=clock), clock


def test_failures_in_a_row_open_it_and_a_success_between_starts_anew() -> None:
    circuit, _ = breaker()
    assert [circuit.failed(), circuit.failed(), circuit.succeeded()] == [False, False, False]
    assert [circuit.failed(), circuit.failed(), circuit.state] == [False, False, "closed"]
    assert circuit.admits()
    assert circuit.failed()  # the one that opens it
    assert circuit.state == "open"
    assert not circuit.admits()


def test_after_the_pause_one_tries_and_the_others_wait() -> None:
    circuit, clock = breaker(failures=1)
    circuit.failed()
    clock.now += 4.9
    assert not circuit.admits()
    clock.now += 0.2
    assert circuit.state == "half-open"
    assert [circuit.admits() for _ in range(3)] == [True, False, False]
    assert not circuit.failed()  # it was open already
    clock.now += 5.1
    assert circuit.admits()
    assert circuit.succeeded()
    assert [circuit.state, circuit.admits(), circuit.succeeded()] == ["closed", True, False]


def test_a_trial_of_which_nothing_is_heard_does_not_keep_it_closed_for_good() -> None:
    circuit, clock = breaker(failures=1)
    circuit.failed()
    clock.now += 6
    assert circuit.admits()
    clock.now += 6
    assert circuit.admits()
