"""The kinds of items that the engine recommends, and all in which they differ: tables, columns, words.

A kind is a declaration here; what reads, learns, rules, explains and writes is the same for all of
them. The queries are over logical tables and run on every warehouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from marketing_platform.analytics.aggregates import with_engagement_weights
from marketing_platform.catalog import table
from marketing_platform.encoders.messages import CAMPAIGN_TEXT, PRODUCT_TEXT, SAID
from marketing_platform.recommenders.rules.spec import Kind

# Oldest first: the latest statement about an interest counts.
INTERESTS = """
SELECT user_id, interest AS node, interest AS name, interest AS category, strength AS weight,
       timestamp AS known_at
FROM interests WHERE user_id IS NOT NULL AND interest IS NOT NULL AND strength IS NOT NULL
ORDER BY timestamp NULLS FIRST, batch_id, row_ordinal"""
# Only that somebody took part, since the engagement of an earlier moment is not kept.
PARTS = """
SELECT part.user_id, part.campaign_id AS node, campaigns.name, campaigns.category,
       CAST(1 AS DOUBLE) AS weight, part.first_at AS known_at
FROM user_campaign_engagement AS part JOIN campaigns ON campaigns.campaign_id = part.campaign_id
WHERE part.user_id IS NOT NULL AND campaigns.category IS NOT NULL
ORDER BY part.user_id, part.campaign_id"""
# The lines of a user and product on one day are one occurrence; returns take back.
PURCHASES = """
SELECT user_id, product_id AS item_id, CAST(sum(quantity) AS DOUBLE) AS amount, max(timestamp) AS taken_at
FROM purchases WHERE user_id IS NOT NULL AND product_id IS NOT NULL
GROUP BY user_id, product_id, CAST(timestamp AS DATE) ORDER BY user_id, product_id, taken_at"""
# What an impression says is what was shown, not what was taken; who unsubscribes takes back.
ENGAGEMENT = with_engagement_weights("""
SELECT events.user_id, events.campaign_id AS item_id,
       CAST(sum(coalesce(engagement_weights.weight, 0)) AS DOUBLE) AS amount,
       max(events.timestamp) AS taken_at
FROM events LEFT JOIN engagement_weights ON engagement_weights.event_type = events.event_type
WHERE events.user_id IS NOT NULL AND events.campaign_id IS NOT NULL AND events.event_type <> 'impression'
GROUP BY events.user_id, events.campaign_id, CAST(events.timestamp AS DATE)
ORDER BY events.user_id, events.campaign_id, taken_at""")


@dataclass(frozen=True)
class Words:
    """How sentences and paths speak of items of a kind."""

    noun: Literal["product", "campaign"]  # how assets of the kind begin, and a cause is called
    took: str  # what a user did with one, after "that the user" or "that most users"
    took_it: str  # the same with the item as known: after "the user"
    too_little: str  # why nothing but the list of all of them is left
    label: str  # of the node in the knowledge graph
    taken: str  # the relation from the user to it
    of_category: str  # the relation between it and its category


@dataclass(frozen=True)
class ItemKind:
    """Where a kind of items is found, and how it is spoken of."""

    name: Kind  # of its table, its rules and its assets
    id_column: str
    already: str  # the field of an answer that says whether the user took it before
    reads: tuple[str, ...]  # every table that the queries read
    takings: str  # user_id, item_id, amount, taken_at: one row per occurrence
    text: str  # SQL: what is written about an item; empty where nothing is
    statements: Mapping[str, str]  # by kind of node: user_id, node, name, category, weight, known_at, by age
    words: Words

    @property
    def large(self) -> tuple[str, ...]:
        """The queries whose work grows with the history, and not only with the items."""
        return (self.takings, SAID, *self.statements.values())

    @property
    def listed(self) -> str:
        """The query for all items with the columns of their table, and `said`, their text."""
        columns = ", ".join(table(self.name).column_names)
        return f"SELECT {columns}, {self.text} AS said FROM {self.name}"  # noqa: S608 -- our own names


PRODUCTS = ItemKind(
    name="products",
    id_column="product_id",
    already="already_bought",
    reads=(
        "users",
        "products",
        "purchases",
        "interests",
        "campaigns",
        "user_campaign_engagement",
        "events",
        "text_embeddings",
    ),
    takings=PURCHASES,
    text=PRODUCT_TEXT,
    statements={"interest": INTERESTS, "campaign": PARTS},
    words=Words(
        noun="product",
        took="bought",
        took_it="bought it",
        too_little="too little was bought",
        label="Product",
        taken="PURCHASED",
        of_category="BELONGS_TO",
    ),
)
CAMPAIGNS = ItemKind(
    name="campaigns",
    id_column="campaign_id",
    already="already_participated",
    reads=("users", "campaigns", "events", "interests", "text_embeddings"),
    takings=ENGAGEMENT,
    text=CAMPAIGN_TEXT,
    statements={"interest": INTERESTS},
    words=Words(
        noun="campaign",
        took="took part in",
        took_it="took part in it",
        too_little="too few users took part in any",
        label="Campaign",
        taken="PARTICIPATED_IN",
        of_category="PROMOTES",
    ),
)
KINDS = (PRODUCTS, CAMPAIGNS)
