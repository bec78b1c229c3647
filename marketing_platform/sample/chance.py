"""Reproducible chance: one independent stream per purpose, so that no part shifts another's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Switches = NDArray[np.bool_]


class Stream(IntEnum):
    """What a stream of random numbers is used for."""

    PEOPLE = 1
    EVENTS = 2
    ORDERS = 3
    ADVERTS = 4
    INTERESTS = 5
    PHRASES = 6
    LIST_TEST = 7


def stream(seed: int, purpose: Stream, *position: int) -> np.random.Generator:
    """The generator for `purpose` at `position` (a day, a month); equal arguments, equal numbers."""
    return np.random.default_rng([seed, purpose, *position])


def cumulative(weights: Sequence[float] | Floats) -> Floats:
    """Weights as a cumulative distribution whose last value is above every number in [0, 1)."""
    total = np.cumsum(np.asarray(weights, dtype=np.float64))
    return total / total[-1]


def pick(rng: np.random.Generator, weights: Sequence[float] | Floats, count: int) -> Ints:
    """`count` positions in `weights`, drawn in proportion to them."""
    return np.searchsorted(cumulative(weights), rng.random(count), side="right").astype(np.int64)


def stacked(rows: Floats) -> Floats:
    """Rows of weights as one sorted array for `pick_in_row`; shape (r, c) -> (r * c,)."""
    totals = np.cumsum(rows, axis=1)
    return (totals / totals[:, -1:] + np.arange(len(rows))[:, None]).ravel()


def pick_in_row(rng: np.random.Generator, rows: Floats, columns: int, row: Ints) -> Ints:
    """For each entry of `row` one column, drawn by the weights of that row; `rows` from `stacked`."""
    found = np.searchsorted(rows, row + rng.random(len(row)), side="right")
    return found - row * columns


def power_law(count: int, *, flat: float, exponent: float) -> Floats:
    """Weights (rank + flat) ** -exponent for ranks 0..count-1; a larger `flat` tames the head."""
    return np.power(np.arange(count, dtype=np.float64) + flat, -exponent)


def shares(total: int, weights: Floats) -> Ints:
    """Split `total` in proportion to `weights`, in whole numbers that add up to it."""
    exact = total * weights / weights.sum()
    counts = np.floor(exact).astype(np.int64)
    missing = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return counts
