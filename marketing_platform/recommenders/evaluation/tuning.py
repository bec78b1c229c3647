"""Finds good parameters of a family on splits of what may be learned from.

The search is Optuna's TPE, seeded. Within a number of trials equal input gives equal parameters;
a time budget that ends first leaves the best found by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from marketing_platform.recommenders.evaluation.metrics import quality
from marketing_platform.recommenders.evaluation.splits import Split
from marketing_platform.recommenders.families import Family, Span
from marketing_platform.recommenders.ranking import best_items

_K = 10
_MOST_TRIALS = 60


@dataclass(frozen=True)
class Tuned:
    """The best parameters found, and their mean NDCG@10 over the splits."""

    family: Family
    ndcg: float
    trials: int


def tune(
    family: Family,
    splits: Sequence[Split],
    *,
    seconds: float,
    seed: int,
    repeats: bool = False,
    on_trial: Callable[[int, float], None] = lambda _number, _best: None,
) -> Tuned:
    """Try parameters within their spans for about `seconds`; the family's own come first, at any rate.

    A family without spans is judged as it is. `on_trial` hears the number of trials and the best
    NDCG@10 so far.
    """
    if not family.spans:
        return Tuned(family, _ndcg(family, splits, repeats), 1)
    # Optuna takes half a second to import.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study: Any = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({name: getattr(family, name) for name in family.spans})

    def judged(trial: Any) -> float:
        chosen = {name: _suggested(trial, name, span) for name, span in family.spans.items()}
        return _ndcg(_with(family, chosen), splits, repeats)

    def told(found: Any, trial: Any) -> None:
        on_trial(trial.number + 1, found.best_value)

    deadline = time.monotonic() + seconds
    # However little time there is, the family's own parameters are judged.
    study.optimize(judged, n_trials=1, callbacks=[told])
    left = deadline - time.monotonic()
    if left > 0:
        study.optimize(judged, n_trials=_MOST_TRIALS - 1, timeout=left, callbacks=[told])
    return Tuned(_with(family, study.best_params), study.best_value, len(study.trials))


def _ndcg(family: Family, splits: Sequence[Split], repeats: bool) -> float:
    return float(np.mean([_ndcg_on(family, split, repeats) for split in splits]))


def _ndcg_on(family: Family, split: Split, repeats: bool) -> float:
    users, learn = np.flatnonzero(np.diff(split.later.indptr)), split.learn
    ranked = best_items(
        family.fit(learn).scores,
        users,
        items=len(learn.items),
        k=_K,
        leave_out=None if repeats else learn.taken,
    )
    later = split.later[users]
    return quality(ranked.items, later, learn.popularity, k=_K, users=len(learn.users)).ndcg


def _suggested(trial: Any, name: str, span: Span) -> float:
    if span.whole:
        return trial.suggest_int(name, int(span.low), int(span.high), log=span.log)
    return trial.suggest_float(name, span.low, span.high, log=span.log)


def _with(family: Family, chosen: dict[str, Any]) -> Family:
    return replace(family, **chosen)  # pyright: ignore[reportArgumentType] -- every family is a dataclass
