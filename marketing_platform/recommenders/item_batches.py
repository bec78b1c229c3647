"""Recommendations of a kind of items for all users: rank, apply the rules, explain, write.

A block of users at a time, so that memory is bounded. What is recommended is `hybrid.py`'s business,
what is left of it `rules`', why is `explanations.py`'s, how it looks `answers.py`'s; nothing is read or
stored here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import orjson
import pyarrow as pa
from scipy import sparse

from marketing_platform.recommenders.answers import ANSWER_SCHEMA, FIGURE_DIGITS
from marketing_platform.recommenders.explanations import Explainer, Explanation
from marketing_platform.recommenders.families.item_weights import row_of
from marketing_platform.recommenders.feedback import ToldByUsers
from marketing_platform.recommenders.hybrid import FALLBACKS, Hybrid
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.reasons import Reason
from marketing_platform.recommenders.rules import Candidates, Facts, Rule, Ruled, apply
from marketing_platform.recommenders.rules.spec import Exclude

# By number of the user in the block and place in the list.
Whys = Mapping[tuple[int, int], Reason | None]

_BLOCK_USERS = 1_000
# Candidates per item shown, so that rules leave enough.
_CANDIDATES = 5
# What an item comes from, by its tier.
_HYBRID, _TIERS = "hybrid", (*FALLBACKS, "catalogue")


def repeats_allowed(rules: Sequence[Rule]) -> bool:
    """Whether what a user took before may be recommended again."""
    return not any(isinstance(rule, Exclude) and rule.when == "already_bought" for rule in rules)


def recommend_items(
    items: Items,
    hybrid: Hybrid,
    rules: Sequence[Rule],
    told: ToldByUsers | None = None,
    *,
    limit: int,
    today: date,
    fill: bool = True,
    say: Callable[[str], None] = lambda _text: None,
) -> Iterator[pa.Table]:
    """The answer for every user as rows of ANSWER_SCHEMA, in order of user.

    Answers are ProductRecommendationsAnswer or RankedCampaignsAnswer, by the kind of items. A list
    is empty only when there are no items or the rules leave none, or when it is not to be filled (`fill`)
    with what is the same for everybody. `say` hears in the end what the rules kept out, and which of
    them cannot do anything. Raises InputError when a rule asks for something that the tables do not say.
    """
    writer = _Writer(items, hybrid)
    removed: Counter[str] = Counter()
    notes: dict[str, None] = {}
    for start in range(0, len(items.training.users), _BLOCK_USERS):
        rows = np.arange(start, min(start + _BLOCK_USERS, len(items.training.users)))
        offered = _candidates(items, hybrid, rows, limit, repeats=repeats_allowed(rules), fill=fill)
        ruled = apply(rules, offered, facts_of(items, rows, today, told), limit=limit)
        removed.update(ruled.removed)
        notes.update(dict.fromkeys(ruled.notes))
        answers = writer.answers(rows, ruled)
        keys = [str(user) for user in items.training.users[rows]]
        yield pa.table({"key": keys, "answer": answers}, schema=ANSWER_SCHEMA)
    for label, times in removed.items():
        say(f"rule {label!r} kept out {times:,} candidates")
    for note in notes:
        say(note)


def _candidates(
    items: Items, hybrid: Hybrid, rows: np.ndarray, limit: int, *, repeats: bool, fill: bool
) -> Candidates:
    """More than will be shown; where families and fallbacks know too little, the catalogue follows."""
    training = items.training
    found = hybrid.shortlist(
        rows, k=min(limit * _CANDIDATES, len(training.items)), leave_out=None if repeats else training.taken
    )
    places, tiers = found.ranked.items, found.origin
    catalogue = np.arange(len(training.items))
    for at in np.flatnonzero((places < 0).any(axis=1)) if fill else ():
        free = np.flatnonzero(places[at] < 0)
        own = np.zeros(0, np.int64) if repeats else row_of(training.taken, rows[at])[0]
        others = np.setdiff1d(catalogue, np.concatenate([places[at], own]))[: len(free)]
        places[at, free[: len(others)]] = others
        tiers[at, free[: len(others)]] = len(_TIERS)
    return Candidates(
        users=training.users[rows],
        items=training.items,
        places=places,
        scores=found.ranked.scores,
        tiers=tiers,
        popular=np.argsort(-training.popularity, kind="stable"),
    )


def facts_of(items: Items, rows: np.ndarray, today: date, told: ToldByUsers | None = None) -> Facts:
    """What the rules ask about these users; whoever answers may know more (`rules.leaving`)."""
    shape = (len(rows), len(items.training.items))
    told = None if told is None else told.of_rows(rows)
    blocked = sparse.csr_matrix(shape) if items.blocked is None else items.blocked[rows]
    return Facts(
        today=today,
        attributes=items.attributes,
        taken=items.training.taken[rows],
        blocked=blocked if told is None else blocked + told.dismissed,
        shown=None if told is None else told.shown,
        hidden=np.zeros(shape[1], bool) if items.hidden is None else items.hidden,
        opted_out=items.opted_out[rows],
        features=items.training.features,
    )


class _Writer:
    """Writes answers as JSON without a model in between, which would cost several times as much."""

    def __init__(self, items: Items, hybrid: Hybrid) -> None:
        self._items = items
        self._training = items.training
        self._hybrid = hybrid
        self._explainer = Explainer(items)

    def answers(self, rows: np.ndarray, ruled: Ruled) -> list[bytes]:
        """The whole answers for the users in `rows`, those whom the rules were applied to."""
        at, place = np.nonzero((ruled.items >= 0) & (ruled.tiers == 0) & ~np.asarray(ruled.holdout)[:, None])
        told = self._hybrid.reasons(rows[at], ruled.items[at, place])
        whys = dict(zip(zip(at.tolist(), place.tolist(), strict=True), told, strict=True))
        return [self._answer(int(row), ruled, number, whys) for number, row in enumerate(rows)]

    def _answer(self, row: int, ruled: Ruled, at: int, whys: Whys) -> bytes:
        kind, own = self._items.kind, row_of(self._training.taken, row)[0]
        places = np.flatnonzero(ruled.items[at] >= 0).tolist()
        found = [self._explained(row, ruled, at, place, whys) for place in places]
        items = [
            {
                kind.id_column: str(self._training.items[item]),
                "name": self._items.names[item],
                "score": round(float(ruled.scores[at, place]), FIGURE_DIGITS),
                kind.already: bool((own == item).any()),
                "reason": why.reason,
                "rules": ruled.applied_to(at, place),
                "contributions": why.contributions,
                "path": [step.__dict__ for step in why.path],
            }
            for place, item, why in zip(places, ruled.items[at, places].tolist(), found, strict=True)
        ]
        user = str(self._training.users[row])
        return orjson.dumps({"user_id": user, "strategy": _strategy(found), "items": items})

    def _explained(self, row: int, ruled: Ruled, at: int, place: int, whys: Whys) -> Explanation:
        item, tier = int(ruled.items[at, place]), int(ruled.tiers[at, place])
        if ruled.holdout[at]:
            return self._explainer.of_everyone(item, "holdout")
        if tier:
            return self._explainer.of_everyone(item, _TIERS[tier - 1])
        if why := whys[at, place]:
            return self._explainer.of_reason(row, item, why)
        return self._explainer.of_everyone(item, "rules")  # pinned, and no family knows why


def _strategy(found: Sequence[Explanation]) -> str:
    if any(why.personal for why in found):
        return _HYBRID
    named = (why.contributions[0]["recommender"] for why in found)
    return next((name for name in named if name != "rules"), _HYBRID)
