"""Rules that keep candidates out: exclusions, frequency caps and the minimum score.

Each looks at a candidate alone, so their order is of no matter. What is left is ranked in
`applying.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from marketing_platform.errors import InputError
from marketing_platform.recommenders.rules.filters import is_missing, meant, values_of
from marketing_platform.recommenders.rules.lists import Candidates, Facts, Impressions
from marketing_platform.recommenders.rules.spec import Exclude, FrequencyCap, Rule
from marketing_platform.recommenders.training import Matrix, pairs_of

# From rows (users) and their places (users x candidates, numbers of items): who is kept out.
Test = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Removal:
    """One rule that keeps candidates out."""

    label: str
    keeps_out: Test


def removals(rules: Sequence[Rule], candidates: Candidates, facts: Facts) -> list[Removal]:
    """The exclusions and frequency caps among the rules that have something to look at.

    Raises:
        InputError: A rule asks for something that `facts` does not know.
    """
    shape = (len(candidates.users), len(candidates.items))
    found: list[Removal] = []
    for rule in rules:
        if isinstance(rule, Exclude) and not left_to_answers(rule, facts):
            found.append(Removal(rule.label, _exclusion(rule, facts, shape)))
        elif isinstance(rule, FrequencyCap):
            shown = facts.shown
            if shown is None:
                raise _missing(rule.label, "what was shown to users (`shown`)")
            found.append(Removal(rule.label, _of_pairs(_shown_often(rule, shown, shape[1]), shape[1])))
    return found


def left_to_answers(rule: Exclude, facts: Facts) -> bool:
    """Whether only those who answer know what the rule asks for."""
    return (rule.when == "hidden" and facts.hidden is None) or (
        rule.when == "blocked_by_user" and facts.blocked is None
    )


def _exclusion(rule: Exclude, facts: Facts, shape: tuple[int, int]) -> Test:
    label = rule.label
    if rule.where is not None:
        return _of_items(meant(rule.where, facts.attributes, label))
    match rule.when:
        case "already_bought" | "blocked_by_user":
            return _of_matrix(*_matrix(rule.when, facts), shape=shape, label=label)
        case "opted_out":
            out = facts.opted_out
            if out is None:
                raise _missing(label, "who opted out (`opted_out`)")
            return lambda rows, places: np.broadcast_to(out[rows][:, None], places.shape)
        case "hidden":
            assert facts.hidden is not None  # noqa: S101 -- else left to answers
            return _of_items(facts.hidden)
        case "out_of_stock":
            in_stock = values_of(facts.attributes, "in_stock", label)
            return _of_items(np.fromiter((value is not None and not value for value in in_stock), bool))
        case _:
            ends = values_of(facts.attributes, "ends_on", label)
            over = (not is_missing(day) and day < facts.today for day in ends)
            return _of_items(np.fromiter(over, bool))


def _of_items(items: np.ndarray) -> Test:
    return lambda rows, places: items[places]


def _matrix(reason: Literal["already_bought", "blocked_by_user"], facts: Facts) -> tuple[Matrix | None, str]:
    if reason == "already_bought":
        return facts.taken, "what users took (`taken`)"
    return facts.blocked, "what users blocked (`blocked`)"


def _of_matrix(matrix: Matrix | None, what: str, *, shape: tuple[int, int], label: str) -> Test:
    if matrix is None:
        raise _missing(label, what)
    if matrix.shape != shape:
        raise InputError(f"the rule {label!r}: {what} is {matrix.shape}, users x items are {shape}")
    return _of_pairs(np.sort(pairs_of(matrix.tocsr())), shape[1])


def _of_pairs(pairs: np.ndarray, items: int) -> Test:
    """`pairs`: row x items + column, ascending."""

    def keeps_out(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        wanted = rows[:, None] * np.int64(items) + places
        if not len(pairs):
            return np.zeros(places.shape, bool)
        # Rows ascend, so only a stretch of all pairs is looked through.
        first, last = np.searchsorted(pairs, (rows[0] * items, (rows[-1] + 1) * items))
        near = pairs[first:last]
        if not len(near):
            return np.zeros(places.shape, bool)
        found = np.minimum(np.searchsorted(near, wanted), len(near) - 1)
        return near[found] == wanted

    return keeps_out


def _shown_often(rule: FrequencyCap, shown: Impressions, items: int) -> np.ndarray:
    recent = shown.days_ago <= rule.days
    pairs = shown.rows[recent].astype(np.int64) * items + shown.columns[recent]
    found, times = np.unique(pairs, return_counts=True)
    return found[times >= rule.times]


def _missing(label: str, what: str) -> InputError:
    return InputError(f"the rule {label!r} needs to know {what}; it was not given")
