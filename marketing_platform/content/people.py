"""What personal content may know of a user: one document per user, prepared by the pipeline.

It says who somebody is, what they bought lately and what they care about. What is recommended to them
is in answers of its own, because what may leave of it changes between releases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson
import pyarrow as pa

from marketing_platform.catalog import table
from marketing_platform.recommenders.answers import ANSWER_SCHEMA
from marketing_platform.recommenders.rules.filters_sql import holds_sql
from marketing_platform.recommenders.rules.spec import Filter

PEOPLE = "people"  # the answers of a release that these documents are
MOST = 12  # purchases, interests and complements of one user: `$most` of the queries
MOST_PAIRS = 6  # complements of one product

# Strings of all three are ordered alike, whatever the engine's collation: the parts are matched in order.
USERS_SQL = """
SELECT user_id, name, email, country, language, marketing_consent FROM users ORDER BY user_id"""

# The latest order of each product that was not sent back whole.
PURCHASES_SQL = """
SELECT user_id, product_id, name, category, last_at, satisfaction
FROM (
  SELECT bought.user_id, bought.product_id, products.name, products.category,
         bought.timestamp AS last_at, bought.satisfaction,
         row_number() OVER (PARTITION BY bought.user_id ORDER BY bought.timestamp DESC, bought.product_id)
           AS place
  FROM (
    SELECT user_id, product_id, timestamp, satisfaction,
           row_number() OVER (PARTITION BY user_id, product_id
             ORDER BY CASE WHEN quantity > 0 THEN 0 ELSE 1 END, timestamp DESC, batch_id DESC,
               row_ordinal DESC) AS latest,
           sum(quantity) OVER (PARTITION BY user_id, product_id) AS kept
    FROM purchases
    WHERE user_id IS NOT NULL AND product_id IS NOT NULL
  ) AS bought
  LEFT JOIN products ON products.product_id = bought.product_id
  WHERE bought.latest = 1 AND bought.kept > 0
) AS placed
WHERE place <= $most
ORDER BY user_id, place"""

# What counts most is what is strong and sure.
INTERESTS_SQL = """
SELECT user_id, interest, strength, source, confidence
FROM (
  SELECT user_id, interest, strength, source, confidence,
         row_number() OVER (PARTITION BY user_id ORDER BY strength * confidence DESC, interest) AS place
  FROM derived_interests
  WHERE strength > 0
) AS placed
WHERE place <= $most
ORDER BY user_id, place"""

_PAIRS_SQL = """
SELECT goes_with, product_id, name, category
FROM (
  SELECT product_pairs.product_id AS goes_with, product_pairs.other_product_id AS product_id,
         products.name, products.category,
         row_number() OVER (PARTITION BY product_pairs.product_id
           ORDER BY product_pairs.leverage DESC, product_pairs.other_product_id) AS place
  FROM product_pairs
  LEFT JOIN products ON products.product_id = product_pairs.other_product_id
  WHERE COALESCE(products.in_stock, TRUE) AND {allowed}
) AS placed
WHERE place <= $most
ORDER BY goes_with, place"""


def pairs_sql(excluded: Iterable[Filter]) -> str:
    """What can be had and goes with a product, what goes best first, without what is never recommended."""
    products = table("products")
    allowed = ["TRUE"]
    for where in excluded:
        conditions = (
            f"({holds_sql(f'products.{name}', condition, products.column(name).type)})"
            for name, condition in where.items()
        )
        allowed.append(f"NOT COALESCE({' AND '.join(conditions)}, FALSE)")
    return _PAIRS_SQL.format(allowed=" AND ".join(allowed))


@dataclass(frozen=True)
class Bought:
    """A product that a user has."""

    product_id: str
    name: str | None
    category: str | None
    last_at: datetime  # UTC
    satisfaction: int | None  # 1 to 5, of the latest order

    @classmethod
    def of(cls, said: dict[str, Any]) -> Bought:
        """The product of a document's entry."""
        last_at = datetime.fromisoformat(said["last_at"])
        return cls(said["product_id"], said["name"], said["category"], last_at, said["satisfaction"])


@dataclass(frozen=True)
class Complement:
    """A product that goes with one that a user has, and that they did not buy lately."""

    product_id: str
    name: str | None
    category: str | None
    goes_with: str  # a product of `purchases`


@dataclass(frozen=True)
class Interest:
    """Something a user cares about."""

    interest: str
    strength: float  # 0 to 1
    source: str  # stated, purchases or messages
    confidence: float  # 0 to 1


@dataclass(frozen=True)
class Person:
    """One user, as a release knows them; any field but the first may be missing."""

    user_id: str
    name: str | None
    email: str | None
    country: str | None
    language: str | None  # BCP 47
    marketing_consent: bool | None
    purchases: tuple[Bought, ...]  # newest first
    interests: tuple[Interest, ...]  # strongest and surest first
    complements: tuple[Complement, ...] = ()  # of what was bought last first, then what goes best

    @classmethod
    def read(cls, document: bytes) -> Person:
        """The person of a stored document, as `people` wrote it."""
        said: dict[str, Any] = orjson.loads(document)
        said["purchases"] = tuple(Bought.of(bought) for bought in said["purchases"])
        said["interests"] = tuple(Interest(**interest) for interest in said["interests"])
        said["complements"] = tuple(Complement(**going) for going in said["complements"])
        return cls(**said)


def people(
    users: Iterable[pa.Table],
    purchases: Iterable[pa.Table],
    interests: Iterable[pa.Table],
    pairs: pa.Table,
) -> Iterator[pa.Table]:
    """The document of every user as rows of ANSWER_SCHEMA.

    Args:
        users: Rows of `USERS_SQL`, in chunks.
        purchases: Rows of `PURCHASES_SQL`.
        interests: Rows of `INTERESTS_SQL`.
        pairs: Rows of `pairs_sql`.
    """
    parts = {"purchases": _ByUser(purchases), "interests": _ByUser(interests)}
    going = {product: list(rows) for product, rows in groupby(pairs.to_pylist(), key=_goes_with)}
    for chunk in users:
        rows = chunk.to_pylist()
        answers: list[bytes] = []
        for row in rows:
            person = {**row, **{name: part.of(row["user_id"]) for name, part in parts.items()}}
            person["complements"] = _complements(person["purchases"], going)
            answers.append(orjson.dumps(person, option=orjson.OPT_UTC_Z))
        yield pa.table({"key": [row["user_id"] for row in rows], "answer": answers}, schema=ANSWER_SCHEMA)


class _ByUser:
    """Rows of users in the order in which the users come: taken along, never held all at once."""

    def __init__(self, chunks: Iterable[pa.Table]) -> None:
        rows: Iterator[dict[str, Any]] = (row for chunk in chunks for row in chunk.to_pylist())
        self._groups = groupby(rows, key=_user)
        self._next = next(self._groups, None)

    def of(self, user_id: str) -> list[dict[str, Any]]:
        if self._next is None or self._next[0] != user_id:
            return []
        rows = [{key: row[key] for key in row if key != "user_id"} for row in self._next[1]]
        self._next = next(self._groups, None)
        return rows


def _user(row: dict[str, Any]) -> str:
    return row["user_id"]


def _goes_with(row: dict[str, Any]) -> str:
    return row["goes_with"]


def _complements(
    purchases: list[dict[str, Any]], going: Mapping[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    known = {bought["product_id"] for bought in purchases}
    complements: list[dict[str, Any]] = []
    for bought in purchases:
        for other in going.get(bought["product_id"], ()):
            if other["product_id"] not in known:
                known.add(other["product_id"])
                complements.append(other)
    return complements[:MOST]
