"""The simulated serving queue is the one that theory knows, where it knows one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.capacity_queue import (
    bursts,
    erlang_c,
    mean_wait,
    mean_wait_of_one,
    poisson,
    simulated,
    summary,
)

BUSY = 0.6
REQUESTS = 60_000


@pytest.mark.parametrize(
    ("workers", "offered", "waits"), [(1, 0.7, 0.7), (2, 1.0, 1 / 3), (10, 8.0, 0.409), (4, 0.0, 0.0)]
)
def test_erlang_c_is_the_one_in_tables(workers: int, offered: float, waits: float) -> None:
    assert erlang_c(workers, offered) == pytest.approx(waits, abs=5e-4)


@given(st.integers(1, 300), st.floats(0, 0.999))
def test_another_worker_never_makes_anybody_wait_longer(workers: int, busy: float) -> None:
    offered = busy * workers
    assert 0 <= erlang_c(workers + 1, offered) <= erlang_c(workers, offered) <= 1
    assert mean_wait(offered, 1.0, workers + 1) <= mean_wait(offered, 1.0, workers)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 0.99), st.floats(1e-4, 10))
def test_one_worker_with_exponential_service_is_the_same_in_both_theories(busy: float, mean: float) -> None:
    quantiles = -mean * np.log1p(-(np.arange(200_000) + 0.5) / 200_000)
    both = mean_wait_of_one(busy / mean, list(quantiles)), mean_wait(busy / mean, mean, 1)
    assert both[0] == pytest.approx(both[1], rel=5e-3)


def test_more_than_can_be_served_is_no_queue() -> None:
    with pytest.raises(ValueError, match="more than 2 workers"):
        erlang_c(2, 2.0)
    with pytest.raises(ValueError, match="cannot keep up"):
        mean_wait_of_one(10, [0.1])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_the_simulation_waits_as_long_as_erlang_says(workers: int) -> None:
    services = np.random.default_rng(3).exponential(1.0, REQUESTS)
    mean = float(services.mean())
    rate = BUSY * workers / mean
    found = [
        simulated(poisson(rate), list(services), workers=workers, requests=REQUESTS, seed=seed)
        for seed in range(1, 5)
    ]
    waited = float(np.mean(found)) - mean
    assert waited == pytest.approx(mean_wait(rate, mean, workers), rel=0.06)


def test_the_simulation_waits_as_long_as_pollaczek_and_khinchine_say() -> None:
    found = simulated(poisson(BUSY), [1.0], workers=1, requests=REQUESTS)
    assert float(found.mean()) - 1 == pytest.approx(mean_wait_of_one(BUSY, [1.0]), rel=0.04)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60))
def test_nobody_waits_where_each_has_a_worker(requests: int) -> None:
    found = simulated(poisson(1000), [0.25], workers=requests, requests=requests)
    assert found == pytest.approx(0.25)


def test_bursts_have_the_mean_they_were_asked_for_and_cost_the_tail() -> None:
    gaps = bursts(100, factor=3, share=0.1, seconds=2)
    arrivals = np.cumsum(gaps(np.random.default_rng(1), 200_000))
    assert 200_000 / arrivals[-1] == pytest.approx(100)
    services = [0.005]
    steady = summary(simulated(poisson(100), services, workers=1, requests=20_000))
    bursty = summary(simulated(gaps, services, workers=1, requests=20_000))
    assert bursty.p99 > 5 * steady.p99


def test_bursts_that_bring_more_than_everything_are_refused() -> None:
    with pytest.raises(ValueError, match="more than the mean"):
        bursts(100, factor=4, share=0.25, seconds=1)
