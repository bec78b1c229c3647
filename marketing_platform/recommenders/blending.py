"""Learns the weights of a hybrid from what was held out.

Greedy selection with replacement, as in Caruana et al., "Ensemble Selection from Libraries of Models",
ICML 2004: in each round the family is added that helps most. It needs no gradient of a ranking, does
not do worse than the best family on what it is judged by, and leaves out what does not help.

Where few users judge, chance decides between families, and nothing tried here mends that: bagging (the
same paper), shrinking towards equal weights and taking the best single family were all within the error of
20 draws of 30 users of MovieLens-100K. So evaluations say it (`FEWEST_USERS`) instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.evaluation.splits import Split
from marketing_platform.recommenders.families import Model
from marketing_platform.recommenders.hybrid import SEGMENTS, Blend, segments_of
from marketing_platform.recommenders.ranking import blocks_of, low_bars
from marketing_platform.recommenders.training import Matrix

_K = 10
_ROUNDS = 20
# A segment with fewer to judge by takes the weights of all users; with fewer in all, chance has its part.
FEWEST_USERS = 50
_MOST_USERS = 5_000  # to judge by; more change nothing that can be seen
# Below every scaled score, whatever weight it gets; infinity times 0 would be no number.
_NONE = -1e9
_CANDIDATES = 100  # of each family; an item that no family ranks so high is not among the best of the sum


@dataclass(frozen=True)
class _Judged:
    """The candidates of some users: their scores by each family and which of them were taken later."""

    scores: np.ndarray  # families x users x candidates, scaled; `_NONE` where there is no candidate
    hits: np.ndarray  # users x candidates, 0 or 1
    ideal: np.ndarray  # the best gain a user's list can have
    segments: np.ndarray

    def of(self, users: np.ndarray) -> _Judged:
        return _Judged(self.scores[:, users], self.hits[users], self.ideal[users], self.segments[users])

    @cached_property
    def _found_later(self) -> tuple[np.ndarray, np.ndarray]:
        user, place = self.hits.nonzero()
        return user, place

    def ndcg(self, scores: np.ndarray) -> float:
        """Of lists by these scores (users x candidates), of equal ones the first candidate first.

        Nothing is sorted: only the few candidates that count and are good enough to be listed are looked at,
        and what stands before them is counted.
        """
        user, place = self._found_later
        good = np.flatnonzero(scores[user, place] >= low_bars(scores, min(_K, scores.shape[1]))[user])
        user, place = user[good], place[good]
        own, lists = scores[user, place][:, None], scores[user]
        before = (lists > own) | ((lists == own) & (np.arange(scores.shape[1]) < place[:, None]))
        rank = before.sum(axis=1)
        gains = np.append(_discount(_K), 0.0)[np.minimum(rank, _K)]
        return float(np.mean(np.bincount(user, gains, len(self.ideal)) / self.ideal))


def learn_blend(
    parts: Sequence[tuple[Mapping[str, Model], Split]], *, seed: int, repeats: bool = False
) -> Blend:
    """Scales and weights from splits, each with the families as fitted on what it learns from.

    With `repeats`, what a user took already may be found again; without, it is not ranked. When
    nothing was held out, every family weighs the same.
    """
    families = sorted(parts[0][0])
    chosen = [_users_of(split, seed, len(parts)) for _, split in parts]
    scales = {family: _scale(parts[0][0][family], chosen[0]) for family in families}
    if not any(map(len, chosen)):
        return Blend(scales, dict.fromkeys(SEGMENTS, dict.fromkeys(families, 1 / max(len(families), 1))))
    judged = _together(
        [
            _judged([models[family] for family in families], list(scales.values()), users, split, repeats)
            for users, (models, split) in zip(chosen, parts, strict=True)
            if len(users)
        ]
    )
    of_all = _select(judged)
    weights: dict[str, Mapping[str, float]] = {}
    for number, segment in enumerate(SEGMENTS):
        own = np.flatnonzero(judged.segments == number)
        found = _select(judged.of(own)) if len(own) >= FEWEST_USERS else of_all
        weights[segment] = dict(zip(families, found.tolist(), strict=True))
    return Blend(scales, weights)


def _users_of(split: Split, seed: int, parts: int) -> np.ndarray:
    users = np.flatnonzero(np.diff(split.later.indptr))
    most = _MOST_USERS // parts
    return (
        users
        if len(users) <= most
        else np.sort(np.random.default_rng(seed).choice(users, most, replace=False))
    )


def _together(parts: Sequence[_Judged]) -> _Judged:
    width = max(part.hits.shape[1] for part in parts)
    return _Judged(
        scores=np.concatenate([_padded(part.scores, width, _NONE) for part in parts], axis=1),
        hits=np.concatenate([_padded(part.hits, width, 0) for part in parts]),
        ideal=np.concatenate([part.ideal for part in parts]),
        segments=np.concatenate([part.segments for part in parts]),
    )


def _select(judged: _Judged) -> np.ndarray:
    """Weights that add up to 1; of the states passed through the best, of equal ones the first."""
    times = np.zeros(len(judged.scores))
    total = np.zeros_like(
        judged.scores[0]
    )  # kept up, since adding up all families anew takes most of the time
    best, best_ndcg = times, -1.0
    for _ in range(_ROUNDS):
        tried = [judged.ndcg(total + one) for one in judged.scores]
        chosen = int(np.argmax(tried))
        times = times + np.eye(len(times))[chosen]
        total += judged.scores[chosen]
        if tried[chosen] > best_ndcg:
            best, best_ndcg = times, tried[chosen]
    return best / best.sum()


def _judged(
    models: Sequence[Model], scales: Sequence[float], users: np.ndarray, split: Split, repeats: bool
) -> _Judged:
    items = split.later.shape[1]
    sizes = np.diff(split.later.indptr)[users]
    gains = np.cumsum(_discount(int(sizes.max())))
    segments = segments_of(split.learn)
    blocks: list[_Judged] = []
    for rows in blocks_of(users, items * len(models)):
        scores, hits = _candidates(models, scales, rows, split.later, None if repeats else split.learn.taken)
        blocks.append(_Judged(scores, hits, gains[np.diff(split.later[rows].indptr) - 1], segments[rows]))
    return _together(blocks)


def _candidates(
    models: Sequence[Model],
    scales: Sequence[float],
    rows: np.ndarray,
    later: Matrix,
    leave_out: Matrix | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (families x rows x candidates) and hits of whatever any family ranks high."""
    scores = np.stack([_dense(model, rows) / scale for model, scale in zip(models, scales, strict=True)])
    if leave_out is not None:
        taken = leave_out[rows].nonzero()
        scores[:, taken[0], taken[1]] = _NONE
    width = min(_CANDIDATES, scores.shape[2])
    best = np.argpartition(-scores, width - 1, axis=2)[:, :, :width]
    wanted = np.zeros(scores.shape[1:], bool)
    for of_family in best:
        np.put_along_axis(wanted, of_family, values=True, axis=1)
    most = int(wanted.sum(axis=1).max())
    places = np.argsort(~wanted, axis=1, kind="stable")[:, :most]
    hits = np.take_along_axis(later[rows].toarray(), places, axis=1)
    return np.stack([np.take_along_axis(one, places, axis=1) for one in scores]), hits


def _scale(model: Model, users: np.ndarray) -> float:
    """The spread of a model's scores: families become comparable, and the sum stays linear."""
    if not len(users):
        return 1.0
    spread = float(np.std(_dense(model, users[:: max(1, len(users) // 500)])))
    return spread if np.isfinite(spread) and spread > 0 else 1.0


def _dense(model: Model, rows: np.ndarray) -> np.ndarray:
    scores = model.scores(rows)
    return np.asarray(scores.toarray() if sparse.issparse(scores) else scores, np.float32)


def _padded(values: np.ndarray, width: int, fill: float) -> np.ndarray:
    missing = width - values.shape[-1]
    return np.pad(values, [*([(0, 0)] * (values.ndim - 1)), (0, missing)], constant_values=fill)


def _discount(size: int) -> np.ndarray:
    return 1 / np.log2(np.arange(2, size + 2))
