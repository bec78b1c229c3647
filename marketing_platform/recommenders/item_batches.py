"""Recommendations of a kind of items for all users: rank, apply the rules, explain, write.

A block of users at a time, so that memory is bounded. What is recommended is `hybrid.py`'s business,
what is left of it `rules`', why is `explanations.py`'s, how it looks `answers.py`'s; nothing is read or
stored here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
from scipy import sparse
from threadpoolctl import threadpool_limits

from marketing_platform.cores import in_order
from marketing_platform.recommenders.answers import ANSWER_SCHEMA, ItemStrategy
from marketing_platform.recommenders.diversity import ItemSpace
from marketing_platform.recommenders.explanations import EVERYONE, Explained, Explainer
from marketing_platform.recommenders.feedback import ToldByUsers
from marketing_platform.recommenders.hybrid import FALLBACKS, Hybrid
from marketing_platform.recommenders.interactions import Entries
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.json_columns import Text, encoded, figures, flags, joined, objects
from marketing_platform.recommenders.prepared import stored_lists
from marketing_platform.recommenders.ranking import filled_places
from marketing_platform.recommenders.reasons import Reasons
from marketing_platform.recommenders.rules import Candidates, Facts, Rule, Ruled, apply
from marketing_platform.recommenders.rules.spec import Diversity, Exclude
from marketing_platform.recommenders.training import Matrix

_BLOCK_USERS = 2_000
# Candidates per item shown, so that rules leave enough.
_CANDIDATES = 5
# What an item comes from, by its tier beyond the hybrid's: numbers in EVERYONE.
_TIERS = tuple(map(EVERYONE.index, (*FALLBACKS, "catalogue")))


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
    shown: int,
    today: date,
    fill: bool = True,
    strategy: ItemStrategy = "hybrid",
    say: Callable[[str], None] = lambda _text: None,
) -> Iterator[pa.Table]:
    """The stored list (`prepared.py`) of every user as rows of ANSWER_SCHEMA, in order of user.

    Lists are ProductRecommendationsAnswer or RankedCampaignsAnswer, by the kind of items. One is empty
    only when there are no items or the rules leave none, or when it is not to be filled (`fill`) with
    what is the same for everybody.

    Args:
        items: What is known.
        hybrid: What ranks.
        rules: What marketers declare.
        told: What users did with what was shown to them; needed by frequency caps.
        limit: Items of a list, with spares.
        shown: How many of them are shown when nothing is dropped.
        today: For rules about dates.
        fill: Whether the catalogue follows where too little is known.
        strategy: What a list is called whose items are personal.
        say: Hears in the end what the rules kept out, and which of them cannot do anything.

    Raises:
        InputError: A rule asks for something that the tables do not say.
    """
    writer = _Writer(items, hybrid, shown=shown, strategy=strategy)
    repeats = repeats_allowed(rules)
    space = _space(items, rules, limit)
    removed: Counter[str] = Counter()
    notes: dict[str, None] = {}

    def made(start: int) -> tuple[Ruled, pa.Table]:
        rows = np.arange(start, min(start + _BLOCK_USERS, len(items.training.users)))
        offered = _candidates(items, hybrid, rows, limit, repeats=repeats, fill=fill)
        ruled = apply(rules, offered, facts_of(items, rows, today, told, space), limit=limit)
        return ruled, writer.lists(rows, ruled)

    # Each core has a block of its own.
    with threadpool_limits(1, "blas"):
        for ruled, lists in in_order(made, range(0, len(items.training.users), _BLOCK_USERS)):
            removed.update(ruled.removed)
            notes.update(dict.fromkeys(ruled.notes))
            yield lists
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
    if fill:
        short = np.flatnonzero((places < 0).any(axis=1))
        own = training.taken[rows[short]]
        at, place, item = _from_catalogue(places[short], None if repeats else own, len(training.items))
        places[short[at], place] = item
        tiers[short[at], place] = len(_TIERS)
    return Candidates(
        users=training.users[rows],
        items=training.items,
        places=places,
        scores=found.ranked.scores,
        tiers=tiers,
        popular=np.argsort(-training.popularity, kind="stable"),
    )


def _from_catalogue(
    places: np.ndarray, own: Matrix | None, items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first items that are neither listed nor a user's own, for free places: row, place and item."""
    # No more items can be in the way than are listed and owned, so that the others need not be looked at.
    most = 0 if own is None else int(np.diff(own.indptr).max(initial=0))
    looked_at = min(items, 2 * places.shape[1] + most)
    offered = np.ones((len(places), looked_at), bool)
    row, place = np.nonzero((places >= 0) & (places < looked_at))
    offered[row, places[row, place]] = False
    if own is not None:
        offered[own[:, :looked_at].nonzero()] = False
    return filled_places(places < 0, offered)


def _space(items: Items, rules: Sequence[Rule], limit: int) -> ItemSpace | None:
    """How similar items are by what they mean, where a rule asks and it is known."""
    features = items.training.features
    if features is None or not any(isinstance(rule, Diversity) for rule in rules):
        return None
    candidates = min(limit * _CANDIDATES, len(features))
    return ItemSpace.by_meaning(features, asked=len(items.training.users) * candidates * limit)


def facts_of(
    items: Items,
    rows: np.ndarray,
    today: date,
    told: ToldByUsers | None = None,
    space: ItemSpace | None = None,
) -> Facts:
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
        space=space,
    )


class _Writer:
    """Writes stored lists as columns of JSON: what all of them say is encoded once."""

    def __init__(self, items: Items, hybrid: Hybrid, *, shown: int, strategy: ItemStrategy) -> None:
        self._kind = items.kind
        self._hybrid = hybrid
        self._shown = shown
        self._strategy = strategy
        self._explainer = Explainer(items)
        self._taken = Entries(items.training.taken)
        self._users = pa.array(items.training.users, pa.string())
        self._names = encoded(items.names)
        self._categories = encoded(items.category_of.values())

    def lists(self, rows: np.ndarray, ruled: Ruled) -> pa.Table:
        """The lists of the users in `rows`, those whom the rules were applied to, as ANSWER_SCHEMA."""
        at, place = np.nonzero(ruled.items >= 0)
        user, item = rows[at], ruled.items[at, place]
        why, found = self._reasons(user, item, ruled.tiers[at, place], ruled.holdout[at])
        explained = self._explainer.explained(user, item, why, found)
        ids = self._explainer.item_ids.take(pa.array(item))
        applied, number = np.unique(ruled.applied[at, place], return_inverse=True)
        listed = joined(
            *objects(
                {
                    self._kind.id_column: ids,
                    "name": self._names.take(pa.array(item)),
                    "score": figures(ruled.scores[at, place]),
                    self._kind.already: flags(self._taken.at(user, item)[1]),
                    "reason": explained.reason,
                    "rules": encoded(map(ruled.labels_of, applied.tolist())).take(pa.array(number)),
                    "contributions": explained.contributions,
                    "path": explained.path,
                }
            )
        )
        head = {
            "user_id": self._explainer.user_ids.take(pa.array(rows)),
            "strategy": self._strategies(at, explained, len(rows)),
        }
        lists = stored_lists(
            head,
            shown=self._shown,
            ids=ids,
            categories=self._categories.take(pa.array(item)),
            items=listed,
            sizes=np.bincount(at, minlength=len(rows)),
        )
        return pa.table({"key": self._users.take(pa.array(rows)), "answer": lists}, schema=ANSWER_SCHEMA)

    def _reasons(
        self, users: np.ndarray, items: np.ndarray, tiers: np.ndarray, holdout: np.ndarray
    ) -> tuple[np.ndarray, Reasons]:
        """Why each item is listed, as `Explainer.explained` asks for it."""
        why = np.where(holdout, EVERYONE.index("holdout"), np.array([-1, *_TIERS])[tiers])
        asked = np.flatnonzero(why < 0)
        why[asked] = EVERYONE.index("rules")  # pinned, where no family knows why
        found = self._hybrid.reasons(users[asked], items[asked])
        why[asked[found.main.pair]] = len(EVERYONE) + np.arange(len(found.main.pair))
        return why, found

    def _strategies(self, at: np.ndarray, explained: Explained, users: int) -> Text:
        """What lists are called: after what is personal in them, or else after the first of the rest."""
        names = (*explained.recommenders, self._strategy)
        found = np.full(users, len(names) - 1)
        told = np.flatnonzero(explained.recommender != EVERYONE.index("rules"))[::-1]
        found[at[told]] = explained.recommender[told]  # the first is written last
        found[at[explained.personal]] = len(names) - 1
        return encoded(names).take(pa.array(found))
