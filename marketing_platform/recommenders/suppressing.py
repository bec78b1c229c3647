"""What people suppressed, as rules see it when lists are made for a release.

Rules decide what a reason means (`rules/`), `releases/overrides.py` keeps suppressions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from marketing_platform.recommenders.item_training import Items
from marketing_platform.releases.overrides import Suppressed


def with_suppressions(known: Items, given: Suppressed) -> Items:
    """The same items and users, with what was suppressed; ids that are not known are no error.

    What was ended by hand is hidden, and so is what was sold out where items have no stock.
    """
    training = known.training
    items, users = training.items, training.users
    attributes, hidden = dict(known.attributes), given.hidden | given.ended
    if "in_stock" in attributes:
        attributes["in_stock"] = attributes["in_stock"].copy()
        attributes["in_stock"][_named(items, given.out_of_stock)] = False
    else:
        hidden |= given.out_of_stock
    pairs = [(user, item) for user, blocked in given.blocked.items() for item in blocked]
    rows = np.flatnonzero(_named(users, frozenset(user for user, _ in pairs)))
    row_of = {users[row]: row for row in rows}
    column_of = {
        items[column]: column
        for column in np.flatnonzero(_named(items, frozenset(item for _, item in pairs)))
    }
    met = [(row_of[user], column_of[item]) for user, item in pairs if user in row_of and item in column_of]
    at = np.asarray(met, np.int64).reshape(-1, 2)
    return replace(
        known,
        attributes=attributes,
        opted_out=known.opted_out | _named(users, given.opted_out),
        hidden=_named(items, hidden),
        blocked=sparse.csr_matrix(
            (np.ones(len(at), np.float32), (at[:, 0], at[:, 1])), shape=(len(users), len(items))
        ),
    )


def _named(ids: np.ndarray, wanted: frozenset[str]) -> np.ndarray:
    """Bool per id."""
    return np.fromiter((one in wanted for one in ids), bool, len(ids))
