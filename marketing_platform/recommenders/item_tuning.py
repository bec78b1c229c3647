"""Searches parameters of the families for a kind of items, and says what they change.

The search is `evaluation/tuning.py`'s. It judges by what users took before the days that the hybrid is
judged by, so the figures of an evaluation stay those of days that nobody looked at. The one choice made
on these days is between all parameters found and the families' own: what makes lists worse is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marketing_platform.recommenders.evaluation.comparison import suitable, tuned
from marketing_platform.recommenders.families import Family
from marketing_platform.recommenders.item_learning import (
    NO_PARAMETERS,
    SEED,
    Evaluated,
    K,
    Parameters,
    evaluate_items,
    without_repeats,
)
from marketing_platform.recommenders.item_training import Items


@dataclass(frozen=True)
class Searched:
    """What was found within the time, and what the hybrid makes of it."""

    found: Parameters  # the best of each family
    best: Mapping[str, Sequence[float]]  # NDCG@10 by family: the best so far after each trial
    before: Evaluated | None = None  # None when there was nothing to judge by
    after: Evaluated | None = None
    parameters: Parameters = field(default_factory=lambda: NO_PARAMETERS)  # what is to be used

    def compared(self) -> list[tuple[str, float, float]]:
        """By recommender, the hybrid last: NDCG@10 on the held-out days before and after."""
        if self.before is None or self.after is None:
            return []
        return [
            (row.recommender, row.quality[K].ndcg, other.quality[K].ndcg)
            for row, other in zip(self.before.rows, self.after.rows, strict=True)
        ]

    def document(self) -> dict[str, Any]:
        """What is kept."""
        return {
            "parameters": self.parameters,
            "found": self.found,
            "trials": {name: len(best) for name, best in self.best.items()},
            "ndcg": {name: {"before": before, "after": after} for name, before, after in self.compared()},
        }


def tune_items(
    items: Items, *, repeats: bool, seconds: float, say: Callable[[str], None] = lambda _text: None
) -> Searched:
    """Search for about `seconds`; equal input and equal numbers of trials give equal parameters."""
    if not items.training.strength.nnz:
        return Searched(NO_PARAMETERS, {})
    _, learned_on, _ = items.held_out(seed=SEED)
    split = learned_on if repeats else without_repeats(learned_on)
    if not split.later.nnz or not split.learn.strength.nnz:
        return Searched(NO_PARAMETERS, {})
    given, _ = suitable(items.training)
    families = {name: family for name, family in given.items() if family.needs <= split.learn.offers}
    best: dict[str, list[float]] = {}
    found = tuned(
        families,
        [split],
        seconds=seconds,
        seed=SEED,
        on_progress=say,
        repeats=repeats,
        on_trial=lambda name, ndcg: best.setdefault(name, []).append(ndcg),
    )
    parameters = {name: _parameters(found[name]) for name in best}
    before, after = (evaluate_items(items, repeats=repeats, tuned=one) for one in (NO_PARAMETERS, parameters))
    if before.of_hybrid is None or after.of_hybrid is None:
        return Searched(parameters, best)
    better = after.of_hybrid.ndcg >= before.of_hybrid.ndcg
    return Searched(parameters, best, before, after, parameters if better else NO_PARAMETERS)


def _parameters(family: Family) -> dict[str, float]:
    return {name: getattr(family, name) for name in family.spans}
