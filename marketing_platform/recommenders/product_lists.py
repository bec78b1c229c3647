"""Lists of one family beside the hybrid's: what is trending, new categories, what reads alike.

They are ranked, ruled and explained as the hybrid's are (`item_batches.py`); only what they come
from differs. A list of a family holds nothing else, so it is empty where the family knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from scipy import sparse

from marketing_platform.recommenders.answers import ANSWER_SCHEMA, ItemStrategy
from marketing_platform.recommenders.families import FAMILIES, Family
from marketing_platform.recommenders.feedback import ToldByUsers
from marketing_platform.recommenders.hybrid import SEGMENTS, Blend, Hybrid
from marketing_platform.recommenders.item_batches import facts_of, recommend_items
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.prepared import EVERYONE, SPARES, StoredList
from marketing_platform.recommenders.rules import Candidates, Rule
from marketing_platform.recommenders.rules.removal import removals
from marketing_platform.recommenders.rules.spec import FrequencyCap, Holdout, in_order
from marketing_platform.recommenders.training import Training

# Of the list of all users, per item shown, so that rules about single users leave enough.
_PER_SHOWN = 5
_BLOCK_USERS = 10_000


def family_of(name: str, evaluated: Mapping[str, Any]) -> Family:
    """A family as the document of an evaluation has it; as it is by itself where it was not judged."""
    return FAMILIES[name](**evaluated["families"].get(name, {}))


def lists_of_family(
    products: Items,
    evaluated: Mapping[str, Any],
    name: str,
    rules: Sequence[Rule],
    told: ToldByUsers | None = None,
    *,
    strategy: ItemStrategy,
    shown: int,
    today: date,
) -> Iterator[pa.Table]:
    """For every user what the family `name` says, called `strategy`: stored lists by user."""
    hybrid = _alone(name, evaluated, products.training, products.training)
    limit = shown + SPARES
    return recommend_items(
        products, hybrid, rules, told, limit=limit, shown=shown, today=today, fill=False, strategy=strategy
    )


def trending_lists(
    products: Items,
    evaluated: Mapping[str, Any],
    rules: Sequence[Rule],
    told: ToldByUsers | None = None,
    *,
    shown: int,
    today: date,
) -> Iterator[pa.Table]:
    """One stored list for all users under the key EVERYONE, and for each user what of it is another's.

    The latter is `{"out": […], "own": […]}`: places of the list that rules keep from the user, and
    places of what the user has bought.
    """
    # A holdout compares what is personal; what a frequency cap looks at is one user's.
    general = [rule for rule in rules if not isinstance(rule, Holdout | FrequencyCap)]
    stranger = _stranger(products)
    hybrid = _alone("trending", evaluated, products.training, stranger.training)
    limit = shown * _PER_SHOWN
    stored = next(
        recommend_items(stranger, hybrid, general, limit=limit, shown=shown, today=today, fill=False)
    )
    yield stored
    ids = StoredList.read(stored["answer"][0].as_py()).ids
    places = np.searchsorted(products.training.items, np.asarray(ids, dtype=object)).astype(np.int64)
    for start in range(0, len(products.training.users), _BLOCK_USERS):
        rows = np.arange(start, min(start + _BLOCK_USERS, len(products.training.users)))
        yield _exceptions(products, rules, told, rows, places, today)


def _alone(name: str, evaluated: Mapping[str, Any], learn: Training, serve: Training) -> Hybrid:
    """The family as a hybrid of nothing else: learned from one training, for the users of another."""
    models = {name: family_of(name, evaluated).fit(learn)} if len(learn.items) else {}
    return Hybrid(models, Blend({name: 1.0}, {segment: {name: 1.0} for segment in SEGMENTS}), serve)


def _stranger(products: Items) -> Items:
    """The same items for one user, of whom nothing is known."""
    training = products.training
    nothing = sparse.csr_matrix((1, len(training.items)), dtype=training.strength.dtype)
    alone = replace(
        training,
        users=np.asarray([EVERYONE], dtype=object),
        strength=nothing,
        occurrences=None,
        tastes=None,
        links={},
    )
    return replace(products, training=alone, opted_out=np.zeros(1, bool), blocked=None)


def _exceptions(
    products: Items,
    rules: Sequence[Rule],
    told: ToldByUsers | None,
    rows: np.ndarray,
    listed: np.ndarray,
    today: date,
) -> pa.Table:
    training = products.training
    places = np.broadcast_to(listed, (len(rows), len(listed)))
    nothing = np.zeros(places.shape)
    candidates = Candidates(
        training.users[rows], training.items, places, nothing, nothing, np.zeros(0, np.int64)
    )
    out = np.zeros(places.shape, bool)
    for removal in removals(in_order(rules), candidates, facts_of(products, rows, today, told)):
        out |= removal.keeps_out(np.arange(len(rows)), places)
    own = training.taken[rows][:, listed].toarray() > 0
    answers = [
        orjson.dumps({"out": np.flatnonzero(of_user).tolist(), "own": np.flatnonzero(bought).tolist()})
        for of_user, bought in zip(out, own, strict=True)
    ]
    keys = [str(user) for user in training.users[rows]]
    return pa.table({"key": keys, "answer": answers}, schema=ANSWER_SCHEMA)
