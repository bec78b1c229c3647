"""Which interests messages are about: what users wrote beside what the data calls an interest.

Interests are the topics that users stated and the categories of products; nothing is named here. One is
told by its name and, for a category, by what the shop says of its products. What becomes of it, together with
statements and purchases, is the aggregate `derived_interests`.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketing_platform.encoders.messages import PRODUCT_TEXT

# Measured (docs/decisions/0026): what a message is about is then right in 99 % (the sample: 10 categories)
# and 88 % (banking77: 77 intents, many alike) of the messages about which anything is said.
LEAST_COSINE = 0.3
LEAST_MARGIN = 0.1  # ahead of the second nearest interest
MOST_INTERESTS = 1_000  # every text is compared with each of them
_ROWS = 8_192  # texts compared at once

# The shop's own categories, then what most users stated.
VOCABULARY = f"""
SELECT name FROM (
  SELECT category AS name, 0 AS tier, 0 AS users FROM products WHERE category IS NOT NULL
  UNION ALL
  SELECT interest AS name, 1 AS tier, COUNT(DISTINCT user_id) AS users FROM interests
  WHERE interest IS NOT NULL GROUP BY interest
) AS named GROUP BY name ORDER BY MIN(tier), MAX(users) DESC, name LIMIT {MOST_INTERESTS}"""  # noqa: S608 -- our own number

# What the shop says of the products of each category.
DESCRIBED = f"""
SELECT name, text, COUNT(*) AS times FROM (
  SELECT category AS name, {PRODUCT_TEXT} AS text FROM products WHERE category IS NOT NULL
) AS said GROUP BY name, text ORDER BY name, text"""  # noqa: S608 -- our own expression

MESSAGE_INTERESTS = pa.schema(
    [
        ("user_id", pa.string()),
        ("interest", pa.string()),
        ("messages", pa.int64()),  # of the user about the interest
        ("written", pa.int64()),  # by the user, about anything
    ]
)


@dataclass(frozen=True)
class Topics:
    """Interests and their directions: names (k), unit vectors (k x dim)."""

    names: Sequence[str]
    vectors: np.ndarray


def topics(
    names: Sequence[str], of_names: np.ndarray, described: Sequence[str], centroids: np.ndarray
) -> Topics:
    """The direction of each interest, halfway between its name and what is said of its products.

    Args:
        names: The interests.
        of_names: The vectors of their names (k x dim), of unit length or zero.
        described: The categories of which products are described.
        centroids: The mean directions of those descriptions, one row for each of `described`.

    Returns:
        The interests that have any direction, in their order.
    """
    places = {name: place for place, name in enumerate(described)}
    added = np.array(of_names, np.float32)
    for row, name in enumerate(names):
        if name in places:
            added[row] += centroids[places[name]]
    norms = np.linalg.norm(added, axis=1)
    kept: list[int] = np.flatnonzero(norms > 0).tolist()
    return Topics([names[row] for row in kept], added[kept] / norms[kept, None])


def about(vectors: np.ndarray, told: Topics) -> np.ndarray:
    """For each text (n x dim, unit length or zero) the number of the interest it is about, or -1 (n)."""
    found = np.full(len(vectors), -1, np.int64)
    if not told.names:
        return found
    for start in range(0, len(vectors), _ROWS):
        cosines = vectors[start : start + _ROWS] @ told.vectors.T
        best = cosines.argmax(axis=1)
        rows = np.arange(len(cosines))
        nearest = cosines[rows, best].copy()
        cosines[rows, best] = -np.inf  # alone, an interest is ahead of nothing
        clear = (nearest >= LEAST_COSINE) & (nearest - cosines.max(axis=1) >= LEAST_MARGIN)
        found[start : start + len(cosines)][clear] = best[clear]
    return found


def message_interests(
    written: pa.Table, texts: Sequence[str] | pa.Array, vectors: np.ndarray, told: Topics
) -> pa.Table:
    """What each user's messages are about, as rows of MESSAGE_INTERESTS.

    Args:
        written: How often (`times`) each user (`user_id`) wrote each text (`text`).
        texts: Every text that anybody wrote.
        vectors: Their vectors (len(texts) x dim); zero for a text without a word, which counts for nothing.
        told: The interests.
    """
    worded = vectors.any(axis=1)
    named = pa.array(
        [told.names[place] if place >= 0 else None for place in about(vectors, told)], pa.string()
    )
    rows = pc.index_in(written["text"], value_set=pa.array(texts, pa.string()))
    everything = pa.table(
        {
            "user_id": written["user_id"],
            "interest": named.take(rows),
            "times": written["times"],
            "worded": pa.array(worded).take(rows),
        }
    )
    counted = everything.filter(pc.field("worded") & pc.field("user_id").is_valid())
    total = counted.group_by("user_id").aggregate([("times", "sum")]).rename_columns(["user_id", "written"])
    found = counted.filter(pc.field("interest").is_valid())
    of_pairs = found.group_by(["user_id", "interest"]).aggregate([("times", "sum")])
    of_pairs = of_pairs.rename_columns(["user_id", "interest", "messages"])
    joined = of_pairs.join(total, "user_id").select(MESSAGE_INTERESTS.names)
    return joined.sort_by([("user_id", "ascending"), ("interest", "ascending")]).cast(MESSAGE_INTERESTS)
