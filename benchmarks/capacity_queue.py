"""How long requests wait when they come at random: theory where there is any, a simulation where not.

Times are in seconds, rates in requests per second. What service takes is measured in `capacity_api.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import simpy

Gaps = Callable[[np.random.Generator, int], np.ndarray]
_WARM_UP = 0.1  # of the requests: the queue begins empty and takes a while to become what it is


@dataclass(frozen=True)
class Latency:
    """From arrival to answer."""

    mean: float
    p50: float
    p95: float
    p99: float


def erlang_c(workers: int, offered: float) -> float:
    """Probability that a request waits in M/M/c (Erlang, 1917).

    Args:
        workers: c, how many are served at once.
        offered: Arrival rate by service rate of one worker; below `workers`.

    Raises:
        ValueError: More is offered than can be served, so that the queue grows for ever.
    """
    if not 0 <= offered < workers:
        raise ValueError(f"{offered} Erlang are more than {workers} workers can serve")
    # B of Erlang's loss formula by its recursion, which neither overflows nor loses digits.
    blocked = 1.0
    for count in range(1, workers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / workers * (1 - blocked))


def mean_wait(rate: float, service: float, workers: int) -> float:
    """Mean time in the queue of M/M/c, without service."""
    offered = rate * service
    return erlang_c(workers, offered) * service / (workers - offered)


def mean_wait_of_one(rate: float, services: Sequence[float]) -> float:
    """Mean time in the queue of one worker, whatever service is like (Pollaczek and Khinchine, 1930)."""
    times = np.asarray(services)
    busy = rate * float(times.mean())
    if busy >= 1:
        raise ValueError(f"one worker that is asked for {busy:.2f} of its time cannot keep up")
    return rate * float((times**2).mean()) / (2 * (1 - busy))


def poisson(rate: float) -> Gaps:
    """Gaps between arrivals that know nothing of each other."""
    return lambda random, count: random.exponential(1 / rate, count)


def bursts(rate: float, *, factor: float, share: float, seconds: float) -> Gaps:
    """Poisson whose rate is `factor` times the mean for `share` of the time, about `seconds` at a stretch.

    Between bursts less comes (a Markov-modulated Poisson process); all of it is stretched until the mean is
    `rate`, which a few bursts more or less would miss.
    """
    if factor * share >= 1:
        raise ValueError("bursts alone would bring more than the mean")
    high, low = factor * rate, rate * (1 - factor * share) / (1 - share)
    lengths = {high: seconds, low: seconds * (1 - share) / share}

    def gaps(random: np.random.Generator, count: int) -> np.ndarray:
        found: list[np.ndarray] = []
        now, known, current = 0.0, 0, low
        while known < count:
            length = random.exponential(lengths[current])
            inside = np.sort(random.uniform(now, now + length, random.poisson(current * length)))
            found.append(inside)
            known += len(inside)
            now += length
            current = high if current == low else low
        arrivals = np.concatenate(found)[:count]
        return np.diff(arrivals, prepend=0.0) * (count / rate / arrivals[-1])

    return gaps


def simulated(
    gaps: Gaps, services: Sequence[float], *, workers: int, requests: int, seed: int = 1
) -> np.ndarray:
    """Latencies of requests that are served in order of arrival by whichever worker is free.

    Each request takes one of `services`, drawn at random. The first tenth is left out.
    """
    random = np.random.default_rng(seed)
    arrivals = gaps(random, requests)
    taken = random.choice(np.asarray(services), requests)
    latencies = np.empty(requests)
    environment = simpy.Environment()
    desk = simpy.Resource(environment, capacity=workers)

    def served(number: int) -> Generator[simpy.Event]:
        arrived = environment.now
        with desk.request() as turn:
            yield turn
            yield environment.timeout(float(taken[number]))
        latencies[number] = environment.now - arrived

    def arriving() -> Generator[simpy.Event]:
        for number, gap in enumerate(arrivals):
            yield environment.timeout(float(gap))
            environment.process(served(number))

    environment.process(arriving())
    environment.run()
    return latencies[round(_WARM_UP * requests) :]


def summary(latencies: np.ndarray) -> Latency:
    """The mean and the percentiles that people ask for."""
    p50, p95, p99 = (float(found) for found in np.percentile(latencies, (50, 95, 99)))
    return Latency(float(latencies.mean()), p50, p95, p99)
