"""Fits families and the hybrid on one training and judges them side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from marketing_platform.errors import InputError
from marketing_platform.recommenders.blending import learn_blend
from marketing_platform.recommenders.evaluation.memory import MemoryPeak
from marketing_platform.recommenders.evaluation.metrics import Quality, quality
from marketing_platform.recommenders.evaluation.splits import Split, folds, repeat_split
from marketing_platform.recommenders.evaluation.tuning import tune
from marketing_platform.recommenders.families import FAMILIES, Family, Model
from marketing_platform.recommenders.families.limits import too_large
from marketing_platform.recommenders.hybrid import Hybrid
from marketing_platform.recommenders.ranking import best_items
from marketing_platform.recommenders.training import Matrix, Training

HYBRID = "hybrid"
# Tuning takes fewer folds than blending: a family has few parameters, and each trial fits it anew. They are
# as small as those of blending, since good penalties depend on how much there is to learn from.
_TUNING_FOLDS = 3
_FEWEST_FOLDS, _MOST_FOLDS = 3, 10
_FITTED_IN_ALL = 2_000_000  # interactions; more folds change little when there is much to judge by

OnProgress = Callable[[str], None]
OnTrial = Callable[[str, float], None]


@dataclass(frozen=True)
class Judged:
    """One row of the table."""

    recommender: str
    family: Family | None  # with its parameters; None for the hybrid
    hybrid: Hybrid | None  # ready to be asked; None for a family
    quality: Mapping[int, Quality]  # by k
    train_s: float
    score_s: float
    peak_gb: float  # resident memory of the process while it was fitted and asked


@dataclass(frozen=True)
class Question:
    """What is learned from, what is to be found, and among what."""

    training: Training
    later: Matrix  # users x items
    ks: tuple[int, ...]
    among: Matrix | None = None  # candidates; everything when None
    repeats: bool = False  # whether what was taken before may be shown again

    @cached_property
    def users(self) -> np.ndarray:
        """Rows of the users who took something later: those who are asked about."""
        return np.flatnonzero(np.diff(self.later.indptr))

    @property
    def leave_out(self) -> Matrix | None:
        return None if self.repeats else self.training.taken


def suitable(training: Training) -> tuple[dict[str, Family], dict[str, str]]:
    """The families that this training can feed in the time there is, and why not the others."""
    found: dict[str, Family] = {}
    left_out: dict[str, str] = {}
    for name, family in FAMILIES.items():
        missing = sorted(family.needs - training.offers)
        refused = too_large(name, users=len(training.users), items=len(training.items))
        if missing or refused:
            left_out[name] = f"needs {', '.join(missing)}" if missing else str(refused)
        else:
            found[name] = family()
    return found, left_out


def tuned(
    families: Mapping[str, Family],
    splits: Sequence[Split],
    *,
    seconds: float,
    seed: int,
    on_progress: OnProgress,
    repeats: bool = False,
    on_trial: OnTrial = lambda _family, _best: None,
) -> dict[str, Family]:
    """Each family with the best parameters found; the seconds are shared out among those with any.

    `on_trial` hears after each trial the family and its best NDCG@10 so far; the first of a family are
    its own parameters.
    """
    searched = [name for name, family in families.items() if family.spans]
    found = dict(families)
    deadline = time.monotonic() + seconds
    for left, name in zip(range(len(searched), 0, -1), searched, strict=True):
        share = max(0.0, deadline - time.monotonic()) / left
        on_progress(f"tuning {name} for {share:.0f} s")
        found[name] = tune(
            families[name],
            splits,
            seconds=share,
            seed=seed,
            repeats=repeats,
            on_trial=lambda _number, best, name=name: on_trial(name, best),
        ).family
    return found


def compare(
    question: Question,
    families: Mapping[str, Family],
    *,
    seed: int,
    splits: Sequence[Split] = (),
    on_progress: OnProgress = lambda _text: None,
) -> list[Judged]:
    """One row per family and one for the hybrid, whose weights are learned on `splits` of the training."""
    rows: list[Judged] = []
    models: dict[str, Model] = {}
    for name, family in families.items():
        on_progress(f"fitting {name}")
        with MemoryPeak() as peak:
            begun = time.perf_counter()
            models[name] = family.fit(question.training)
            fitted = time.perf_counter()
            shown = _shown(question, models[name])
            asked = time.perf_counter()
        judged = _judged(question, shown)
        rows.append(Judged(name, family, None, judged, fitted - begun, asked - fitted, peak.gigabytes))
    on_progress("learning the hybrid's weights")
    with MemoryPeak() as peak:
        begun = time.perf_counter()
        parts = [(_fitted(families, split.learn), split) for split in splits or _splits(question, seed)]
        blend = learn_blend(parts, seed=seed, repeats=question.repeats)
        hybrid = Hybrid(models, blend, question.training)
        fitted = time.perf_counter()
        k = max(question.ks)
        found = hybrid.shortlist(question.users, k=k, leave_out=question.leave_out, among=question.among)
        asked = time.perf_counter()
    judged = _judged(question, found.ranked.items)
    rows.append(Judged(HYBRID, None, hybrid, judged, fitted - begun, asked - fitted, peak.gigabytes))
    return rows


def tuning_splits(training: Training, *, seed: int, repeats: bool = False) -> list[Split]:
    """The splits that tuning judges by; in time where repeats are to be found."""
    recent = repeat_split(training) if repeats else None
    if recent is not None:
        return [recent]
    return folds(training, count=_MOST_FOLDS, seed=seed)[:_TUNING_FOLDS]


def _splits(question: Question, seed: int) -> list[Split]:
    recent = repeat_split(question.training) if question.repeats else None
    if recent is not None:
        return [recent]
    affordable = _FITTED_IN_ALL // max(question.training.strength.nnz, 1)
    count = min(max(affordable, _FEWEST_FOLDS), _MOST_FOLDS)
    return folds(question.training, count=count, seed=seed)


def _fitted(families: Mapping[str, Family], training: Training) -> dict[str, Model]:
    return {name: family.fit(training) for name, family in families.items()}


def _shown(question: Question, model: Model) -> np.ndarray:
    return best_items(
        model.scores,
        question.users,
        items=len(question.training.items),
        k=max(question.ks),
        leave_out=question.leave_out,
        among=question.among,
    ).items


def _judged(question: Question, shown: np.ndarray) -> dict[int, Quality]:
    """`shown` has a row for each user who took something later."""
    if not len(question.users):
        raise InputError("the test has no interaction to be found, so there is nothing to judge by")
    later, popularity = question.later[question.users], question.training.popularity
    known = int((np.diff(question.training.strength.indptr) > 0).sum())
    return {k: quality(shown, later, popularity, k=k, users=known) for k in question.ks}
