"""Products as items to learn from: what tables say of them, as it was known at a moment.

The queries here are over logical tables and run on every warehouse. What is learned is in `families`,
what is made of it for users in `product_batches.py`. Campaigns have a path of their own (`campaigns.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from scipy import sparse

from marketing_platform.catalog import table
from marketing_platform.encoders.messages import PRODUCT_TEXT, vector_matrix
from marketing_platform.recommenders.evaluation.features import with_texts
from marketing_platform.recommenders.evaluation.splits import Split, folds, recent_split
from marketing_platform.recommenders.training import Links, Matrix, Training, training_of

# What a warehouse is asked: a query over logical tables.
Ask = Callable[[str], pa.Table]

READS = (
    "users",
    "products",
    "purchases",
    "interests",
    "campaigns",
    "user_campaign_engagement",
    "text_embeddings",
)

# The lines of a user and product on one day are one occurrence; returns take back.
PURCHASES = """
SELECT user_id, product_id, CAST(sum(quantity) AS DOUBLE) AS quantity, max(timestamp) AS bought_at
FROM purchases WHERE user_id IS NOT NULL AND product_id IS NOT NULL
GROUP BY user_id, product_id, CAST(timestamp AS DATE) ORDER BY user_id, product_id, bought_at"""
_USERS = "SELECT user_id, marketing_consent FROM users"
_PRODUCTS = f"SELECT {', '.join(table('products').column_names)} FROM products"  # noqa: S608 -- our own names
_MEANINGS = f"""
SELECT products.product_id, text_embeddings.text_embedding
FROM products JOIN text_embeddings ON text_embeddings.text = {PRODUCT_TEXT}
WHERE NOT text_embeddings.wordless ORDER BY products.product_id"""  # noqa: S608 -- our own expression
# Oldest first: the latest statement about an interest counts.
INTERESTS = """
SELECT user_id, interest AS node, interest AS category, strength AS weight, timestamp AS known_at
FROM interests WHERE user_id IS NOT NULL AND interest IS NOT NULL AND strength IS NOT NULL
ORDER BY timestamp NULLS FIRST, batch_id, row_ordinal"""
# Only that somebody took part, since the engagement of an earlier moment is not kept.
CAMPAIGNS = """
SELECT part.user_id, part.campaign_id AS node, campaigns.category, CAST(1 AS DOUBLE) AS weight,
       part.first_at AS known_at
FROM user_campaign_engagement AS part JOIN campaigns ON campaigns.campaign_id = part.campaign_id
WHERE part.user_id IS NOT NULL AND campaigns.category IS NOT NULL
ORDER BY part.user_id, part.campaign_id"""

# What is held out to be found, the newest purchases, and how much history learning needs before that.
HELD_OUT_DAYS = 28.0
_LEAST_HISTORY = 3 * HELD_OUT_DAYS
_FOLDS = 5
_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Statements:
    """What users said or did that leads over a node and a category to items, oldest first."""

    users: Sequence[str]
    nodes: Sequence[str]
    categories: Sequence[str]
    weights: np.ndarray  # not above zero: the user took it back
    days_ago: np.ndarray  # before the newest purchase; below zero after it


@dataclass(frozen=True)
class Products:
    """What is known of products and of who bought them."""

    training: Training  # as of now
    names: Sequence[str]  # in order of `training.items`; the id where there is no name
    categories: Sequence[str]  # the names behind `training.categories`
    statements: Mapping[str, Statements]  # by the kind of node
    attributes: Mapping[str, np.ndarray]  # by column of the table: one value per item, None where missing
    opted_out: np.ndarray  # bool per user: agreed to no marketing
    # What people suppressed (`suppressing.py`); None where nobody did.
    hidden: np.ndarray | None = None  # bool per item
    blocked: Matrix | None = None  # users x items, CSR

    def held_out(self, *, seed: int) -> tuple[Split, Split, str]:
        """What is judged by, what the blend is learned on (all of it known before), and in words how.

        The newest 28 days and the 28 before them, or where history is too short for that, a fifth of
        each user's purchases at random.
        """
        given = self.training.occurrences
        if given is not None and len(given.days_ago) and given.days_ago.max() >= _LEAST_HISTORY:
            outer, inner = (self._recent(days) for days in (0.0, HELD_OUT_DAYS))
            if outer.later.nnz and inner.later.nnz:
                return outer, inner, f"the last {HELD_OUT_DAYS:.0f} days of purchases"
        outer = folds(self.training, count=_FOLDS, seed=seed)[0]
        inner = folds(outer.learn, count=_FOLDS, seed=seed)[0]
        return outer, inner, f"one in {_FOLDS} of each user's products, drawn at random: history is short"

    def _recent(self, days_before_now: float) -> Split:
        """The 28 days that ended `days_before_now`; what is learned from was known before them."""
        base = self.training.before(days_before_now) if days_before_now else self.training
        split = recent_split(base, days=HELD_OUT_DAYS)
        links = _links(split.learn, self.categories, self.statements, days_before_now + HELD_OUT_DAYS)
        return Split(replace(split.learn, links=links), split.later)


def products_of(ask: Ask, *, dim: int) -> Products:
    """Everything from the tables of `READS`; `dim` is the length of the vectors of texts.

    Raises InputError when a quantity is not finite.
    """
    bought, listed, people = ask(PURCHASES), ask(_PRODUCTS), ask(_USERS)
    moments = _seconds(bought["bought_at"])
    training = training_of(
        bought["user_id"].to_pylist(),
        bought["product_id"].to_pylist(),
        bought["quantity"].to_numpy(),
        moments,
        all_users=people["user_id"].to_pylist(),
        all_items=listed["product_id"].to_pylist(),
    )
    attributes = {name: _in_order(training.items, listed, name) for name in listed.column_names}
    meanings = ask(_MEANINGS)
    if len(meanings):
        vectors = vector_matrix(meanings["text_embedding"], dim=dim)
        training = with_texts(training, meanings["product_id"].to_pylist(), vectors)
    categories = sorted({one for one in attributes["category"] if one is not None})
    if categories:
        number = {None: -1} | {category: place for place, category in enumerate(categories)}
        numbers = np.asarray([number[category] for category in attributes["category"]], np.int64)
        training = replace(training, categories=numbers)
    now = float(moments.max()) if len(moments) else 0.0
    statements = {
        kind: _statements(ask(sql), now) for kind, sql in (("interest", INTERESTS), ("campaign", CAMPAIGNS))
    }
    consents = dict(zip(people["user_id"].to_pylist(), people["marketing_consent"].to_pylist(), strict=True))
    return Products(
        training=replace(training, links=_links(training, categories, statements, -np.inf)),
        names=[name or item for name, item in zip(attributes["name"], training.items, strict=True)],
        categories=categories,
        statements=statements,
        attributes=attributes,
        opted_out=np.asarray([consents.get(user) is False for user in training.users], bool),
    )


def _in_order(items: np.ndarray, listed: pa.Table, column: str) -> np.ndarray:
    values = dict(zip(listed["product_id"].to_pylist(), listed[column].to_pylist(), strict=True))
    found = np.empty(len(items), object)
    found[:] = [values.get(item) for item in items]
    return found


def _statements(rows: pa.Table, now: float) -> Statements:
    return Statements(
        users=rows["user_id"].to_pylist(),
        nodes=rows["node"].to_pylist(),
        categories=rows["category"].to_pylist(),
        weights=rows["weight"].to_numpy(),
        days_ago=(now - _seconds(rows["known_at"])) / _SECONDS_PER_DAY,
    )


def _links(
    training: Training, categories: Sequence[str], statements: Mapping[str, Statements], days: float
) -> dict[str, Links]:
    """The ways known `days` before now; a kind of node that leads nowhere is left out."""
    if training.categories is None:
        return {}
    known = np.flatnonzero(training.categories >= 0)
    of_category = sparse.csr_matrix(
        (np.ones(len(known)), (training.categories[known], known)),
        shape=(len(categories), len(training.items)),
    )
    found = {
        kind: _links_of(training, of_category, categories, given, days) for kind, given in statements.items()
    }
    return {kind: links for kind, links in found.items() if links.of_users.nnz}


def _links_of(
    training: Training, of_category: Matrix, categories: Sequence[str], given: Statements, days: float
) -> Links:
    number = {category: place for place, category in enumerate(categories)}
    weights: dict[tuple[str, str], float] = {}
    nodes: dict[str, int] = {}  # to the number of the category
    for at in np.flatnonzero(given.days_ago >= days).tolist():
        category = number.get(given.categories[at])
        if category is not None:
            nodes[given.nodes[at]] = category
            weights[given.users[at], given.nodes[at]] = float(given.weights[at])
    weights = {pair: weight for pair, weight in weights.items() if weight > 0}
    names = sorted(nodes)
    place = {name: at for at, name in enumerate(names)}
    rows, _ = training.places([user for user, _ in weights], [])
    columns = [place[node] for _, node in weights]
    of_users = sparse.csr_matrix(
        (list(weights.values()), (rows, columns)), shape=(len(training.users), len(names))
    )
    return Links(names, of_users, of_category[[nodes[name] for name in names]])


def _seconds(moments: pa.ChunkedArray) -> np.ndarray:
    """Unix time; what has no moment was always known."""
    micros = moments.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    seconds = micros.to_numpy(zero_copy_only=False).astype(np.float64) / 1e6
    return np.where(np.isnan(seconds), -np.inf, seconds)
