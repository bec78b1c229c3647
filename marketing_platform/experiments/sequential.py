"""Comparing two arms as often as one likes: evidence, p-values and intervals that hold at every look.

Of users who did something (bought, say), each is of the arm or of control. The draw was independent of
everything they did, so when the arm changes nothing, each of them is of the arm with the probability `split`
that the weights say; when the arm multiplies the rate by r, the odds are multiplied by r. How the sequence of
them divides is therefore a sequence of coin flips with a known coin under each r, and a mixture of likelihood
ratios over a Beta prior is a test martingale against it: by Ville's inequality the chance that it ever
exceeds 1/alpha is at most alpha, whatever the sample size, and however often it is looked at.

Source: Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data" (NeurIPS 2022), with Robbins'
mixture for two categories. Users who did nothing carry no information here; what that costs is small while
rates are (the interval is wider by about 1/sqrt(1 - rate) than that of the best test for a fixed number).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

from scipy.optimize import brentq
from scipy.special import betaln

# How many users the prior is worth: lifts of about a quarter are found soonest.
_PRIOR = 50.0


class Counts(NamedTuple):
    """Users who did something: of the arm, and of control."""

    arm: int
    control: int


class Interval(NamedTuple):
    """Between which values the rate of an arm by that of control lies; `high` may be infinite."""

    low: float
    high: float


def evidence(of: Counts, *, split: float, ratio: float = 1.0) -> float:
    """Logarithm of the test martingale against "the arm's rate is `ratio` times that of control".

    Args:
        of: Who did it.
        split: The probability of the arm, of those that are the arm or control.
        ratio: Above 0.
    """
    return _mixture(of, split) - _likelihood(of, math.log(ratio) + _log_odds(split))


def p_value(log_evidence: float) -> float:
    """The p-value that goes with the most evidence there was at any look."""
    return min(1.0, math.exp(-max(0.0, log_evidence)))


def interval(of: Counts, *, split: float, alpha: float) -> Interval:
    """Ratios not ruled out: at all looks together they miss the true one with a chance of at most `alpha`."""
    start = math.log((of.arm + 0.5) / (of.control + 0.5))  # the likeliest, kept finite by half a user more
    bar = _mixture(of, split) - math.log(1 / alpha)

    def above(log_odds: float) -> float:
        return bar - _likelihood(of, log_odds)

    def ratio(direction: int) -> float:
        return math.exp(_crossing(above, start, direction) - _log_odds(split))

    return Interval(ratio(-1) if of.arm else 0.0, ratio(1) if of.control else math.inf)


def surely_above(of: Counts, ratio: float, *, split: float, alpha: float) -> bool:
    """Whether the whole interval lies above a ratio."""
    return _observed_above(of, ratio, split) and evidence(of, split=split, ratio=ratio) > math.log(1 / alpha)


def surely_below(of: Counts, ratio: float, *, split: float, alpha: float) -> bool:
    """Whether the whole interval lies below a ratio."""
    observed = _observed_above(of, ratio, split)
    return not observed and evidence(of, split=split, ratio=ratio) > math.log(1 / alpha)


def _observed_above(of: Counts, ratio: float, split: float) -> bool:
    return of.arm * (1 - split) > ratio * of.control * split


def _mixture(of: Counts, split: float) -> float:
    """Log of the mean likelihood under the prior."""
    ours, theirs = _PRIOR * split, _PRIOR * (1 - split)
    return float(betaln(ours + of.arm, theirs + of.control) - betaln(ours, theirs))


def _likelihood(of: Counts, log_odds: float) -> float:
    """Log of the likelihood when those who did it are of the arm with these odds."""
    return -of.arm * _softplus(-log_odds) - of.control * _softplus(log_odds)


def _log_odds(share: float) -> float:
    return math.log(share) - math.log1p(-share)


def _softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _crossing(above: Callable[[float], float], start: float, direction: int) -> float:
    """Where a function that is negative at `start`, and grows in a direction, is zero."""
    step = 1.0
    while above(start + direction * step) <= 0:
        step *= 2
    return cast(float, brentq(above, start, start + direction * step))
