"""How good each family and the hybrid are for a kind of items, and what the hybrid has to weigh.

What is measured is what is served: families with these parameters and weights, learned from the past and
judged by what users took afterwards. Where tables come from and figures go is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.blending import FEWEST_USERS
from marketing_platform.recommenders.evaluation.comparison import Judged, Question, compare, suitable
from marketing_platform.recommenders.evaluation.metrics import Quality, quality
from marketing_platform.recommenders.evaluation.splits import Split
from marketing_platform.recommenders.families import FAMILIES, Family
from marketing_platform.recommenders.hybrid import FALLBACKS, SEGMENTS, Blend, Hybrid
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.rules.holdout import held_out
from marketing_platform.recommenders.rules.spec import Holdout
from marketing_platform.recommenders.training import Matrix, Training

K = 10
SEED = 0
# To judge by; more change the second digit of no figure, and take as long as to answer for everybody.
_MOST_JUDGED = 20_000

# Of families by name: their fields by name.
Parameters = Mapping[str, Mapping[str, Any]]
NO_PARAMETERS: Parameters = {}


@dataclass(frozen=True)
class Evaluated:
    """What was found out, and what follows from it for the hybrid that serves."""

    how: str  # what was held out, in words
    rows: list[Judged]  # the families, then the hybrid; none when there is nothing to judge by
    families: Mapping[str, Family]
    blend: Blend
    parts: Mapping[str, Quality]  # of the hybrid: what users took before, and what was new to them

    @property
    def of_hybrid(self) -> Quality | None:
        """Of the first 10; None when there was nothing to judge by."""
        return self.rows[-1].quality[K] if self.rows else None

    def document(self) -> dict[str, Any]:
        """What is kept: the same data gives the same document, so it holds no times."""
        return {
            "held_out": self.how,
            "recommenders": {row.recommender: asdict(row.quality[K]) for row in self.rows},
            "hybrid": {name: asdict(found) for name, found in self.parts.items()},
            "families": {name: asdict(family) for name, family in self.families.items()},  # pyright: ignore[reportArgumentType]
            "blend": asdict(self.blend),
        }


def evaluate_items(items: Items, *, repeats: bool, tuned: Parameters = NO_PARAMETERS) -> Evaluated:
    """Learn from what was known before a moment, judge by what was taken after it.

    Without `repeats` only what is new to the user is to be found. The hybrid is judged as it is, before
    any rule: rules are what people want in spite of it. Families that are not `tuned` have parameters of
    their own.
    """
    offered, _ = suitable(items.training)
    families = with_parameters(offered, tuned)
    if not items.training.strength.nnz:
        return Evaluated(f"nothing: no user {items.kind.words.took} any", [], families, _even(families), {})
    judged_by, learned_on, how = items.held_out(seed=SEED)
    judged_by, drawn = _of_drawn_users(judged_by)
    known = judged_by.learn.offers & learned_on.learn.offers
    families = {name: family for name, family in families.items() if family.needs <= known}
    wanted, learned_from = (split if repeats else without_repeats(split) for split in (judged_by, learned_on))
    if not wanted.later.nnz or not wanted.learn.strength.nnz:
        how = f"nothing: {items.kind.words.too_little}"
        return Evaluated(how, [], families, _even(families), {})
    how += drawn
    judges = np.count_nonzero(np.diff(learned_from.later.indptr))
    if judges < FEWEST_USERS:
        how += f"; the weights were learned from {judges} users, too few to tell families apart"
    question = Question(wanted.learn, wanted.later, (K,), repeats=repeats)
    rows = compare(question, families, seed=SEED, splits=[learned_from])
    hybrid = rows[-1].hybrid
    assert hybrid is not None  # the last row is the hybrid's  # noqa: S101
    return Evaluated(how, rows, families, hybrid.blend, _parts(hybrid, judged_by))


def hybrid_of(document: Mapping[str, Any], training: Training) -> Hybrid:
    """The hybrid that an evaluation found, learned from all there is; what weighs nothing is not learned."""
    blend = Blend(document["blend"]["scales"], document["blend"]["weights"])
    needed = {name for weights in blend.weights.values() for name, weight in weights.items() if weight > 0}
    models = {
        name: FAMILIES[name](**parameters).fit(training)
        for name, parameters in document["families"].items()
        if len(training.items) and (name in needed or name in FALLBACKS)
    }
    return Hybrid(models, blend, training)


def with_parameters(families: Mapping[str, Family], tuned: Parameters) -> dict[str, Family]:
    """The same families, those named in `tuned` with these parameters.

    What a family does not know (any more) is left out: parameters outlive the code that they were found by.
    """
    return {name: replace(family, **_known(family, tuned.get(name, {}))) for name, family in families.items()}  # pyright: ignore[reportArgumentType]


def without_repeats(split: Split) -> Split:
    """The split with only what was new to the user to be found."""
    return Split(split.learn, _apart(split)[1])


def _of_drawn_users(split: Split) -> tuple[Split, str]:
    """The split with what about `_MOST_JUDGED` users took, and what is to be said of it.

    They are drawn by their ids: whoever is asked about is asked about again when more is known.
    """
    users = np.flatnonzero(np.diff(split.later.indptr))
    if len(users) <= _MOST_JUDGED:
        return split, ""
    draw = Holdout(rule="holdout", name="judged", share=_MOST_JUDGED / len(users), salt="judged")
    drawn = users[held_out(draw, split.learn.users[users])]
    kept = np.zeros(split.later.shape[0], split.later.dtype)
    kept[drawn] = 1
    later = (sparse.diags(kept) @ split.later).tocsr()
    later.eliminate_zeros()
    return Split(
        split.learn, later
    ), f"; judged by {len(drawn):,} of {len(users):,} users, drawn by their ids"


def _known(family: Family, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name in family.spans}


def _even(families: Mapping[str, Family]) -> Blend:
    weights = dict.fromkeys(families, 1 / len(families))
    return Blend(dict.fromkeys(families, 1.0), dict.fromkeys(SEGMENTS, weights))


def _parts(hybrid: Hybrid, split: Split) -> dict[str, Quality]:
    """The hybrid among what users took before, and among what was new to them."""
    training = split.learn
    again, new = _apart(split)
    found: dict[str, Quality] = {}
    for name, later, among, leave_out in (
        ("repeat", again, training.taken, None),
        ("discovery", new, None, training.taken),
    ):
        users = np.flatnonzero(np.diff(later.indptr))
        shown = hybrid.shortlist(users, k=K, leave_out=leave_out, among=among).ranked.items
        known = int((np.diff(training.strength.indptr) > 0).sum())
        found[name] = quality(shown, later[users], training.popularity, k=K, users=known)
    return found


def _apart(split: Split) -> tuple[Matrix, Matrix]:
    """What was taken later and before too, and what was new."""
    again = split.later.multiply(split.learn.taken).tocsr()
    again.eliminate_zeros()
    new = (split.later - again).tocsr()
    new.eliminate_zeros()
    return again, new
