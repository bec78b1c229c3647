"""Which texts are embedded, and how vectors of texts become vectors of messages and users.

What users wrote, what the shop says of products and campaigns, and what interests are called share one
space, so that they can be compared.

A text is embedded once, however many messages say the same. The empty text has the zero vector:
it stands in `text_embeddings`, but nothing that says nothing is ever searched for or found.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# What is read of a product; empty when the shop says nothing.
PRODUCT_TEXT = "coalesce(products.name, '') || coalesce('. ' || products.description, '')"
# The same of a campaign.
CAMPAIGN_TEXT = (
    "coalesce(campaigns.name, '') || coalesce('. ' || campaigns.category, '')"
    " || coalesce('. ' || campaigns.objective, '')"
)

_TOLD = f"""
  SELECT coalesce(message, '') AS text FROM events WHERE event_type = 'message' OR message IS NOT NULL
  UNION ALL
  SELECT {PRODUCT_TEXT} AS text FROM products
  UNION ALL
  SELECT {CAMPAIGN_TEXT} AS text FROM campaigns
  UNION ALL
  SELECT category AS text FROM products WHERE category IS NOT NULL
  UNION ALL
  SELECT interest AS text FROM interests WHERE interest IS NOT NULL
"""  # noqa: S608 -- our own expression
TEXTS = f"SELECT DISTINCT text FROM ({_TOLD}) AS said ORDER BY text"  # noqa: S608 -- our own expression
# How many there are when those that repeat count as often as they do.
TOLD = f"SELECT count(*) AS texts FROM ({_TOLD}) AS said"  # noqa: S608 -- our own expression

# Products that are known by their id alone, from purchases: nothing can be told by their words.
UNDESCRIBED = f"""
SELECT product_id FROM products WHERE {PRODUCT_TEXT} = '' ORDER BY product_id"""  # noqa: S608 -- our own expression

MESSAGES = """
SELECT {record_id} AS record_id, events.user_id, text_embeddings.text_embedding
FROM events JOIN text_embeddings ON text_embeddings.text = events.message
WHERE NOT text_embeddings.wordless"""

# Messages of parts that came and of parts that went, by all that their records depend on.
_CAME = "SELECT {record_id} AS record_id, user_id, message FROM events WHERE message IS NOT NULL"
_WENT = _CAME.replace("events", "events_before")

# As MESSAGES, of those that the parts that came say anew; and the records that are no longer said.
MESSAGES_ADDED = f"""
SELECT said.record_id, said.user_id, text_embeddings.text_embedding
FROM ({_CAME} EXCEPT {_WENT}) AS said JOIN text_embeddings ON text_embeddings.text = said.message
WHERE NOT text_embeddings.wordless"""  # noqa: S608 -- our own queries
MESSAGES_REMOVED = f"SELECT record_id FROM ({_WENT} EXCEPT {_CAME}) AS said"  # noqa: S608 -- our own queries

# How many messages have a text and still no vector to be found by.
WORDLESS = """
SELECT count(*) FROM events JOIN text_embeddings ON text_embeddings.text = events.message
WHERE text_embeddings.wordless"""

# How often each user wrote each text.
WRITTEN = """
SELECT user_id, message AS text, count(*) AS times FROM events
WHERE message IS NOT NULL GROUP BY user_id, message ORDER BY user_id, message"""

# What each user wrote, by when: for what was known at a moment.
SAID = """
SELECT user_id, message AS text, timestamp AS known_at FROM events
WHERE user_id IS NOT NULL AND message IS NOT NULL ORDER BY user_id, message, timestamp"""


def text_table(texts: Sequence[str], vectors: np.ndarray) -> pa.Table:
    """Texts (n) and their vectors (n x dim float32) as rows of `text_embeddings`.

    `wordless` is a text without a single token, such as one control character: its vector is zero.
    """
    return pa.table(
        {
            "text": pa.array(texts, pa.string()),
            "wordless": pa.array(~vectors.any(axis=1), pa.bool_()),
            "text_embedding": vector_column(vectors),
        }
    )


def rows_of(texts: pa.ChunkedArray, among: pa.ChunkedArray) -> np.ndarray:
    """For each text the row at which it stands among distinct ones; KeyError for one that does not."""
    rows = pc.index_in(texts, value_set=among)
    if rows.null_count:
        raise KeyError(f"{rows.null_count:,} texts have no vector; materialize text_embeddings again")
    return rows.combine_chunks().to_numpy(zero_copy_only=False)


def vector_column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """An n x dim float32 matrix as a column without copying."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def vector_matrix(column: pa.ChunkedArray, *, dim: int) -> np.ndarray:
    """A column of vectors as an n x dim float32 matrix, also when n is 0."""
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(column), dim)
