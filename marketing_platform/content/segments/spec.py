"""What `segments/<name>.yaml` may say: immutable models that refuse unknown keys.

Only shapes belong here. Names that the catalog must know are looked at in `loading.py`; the SQL is in
`queries.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from marketing_platform.analytics import aggregate
from marketing_platform.catalog import Column, table
from marketing_platform.declarations import Declared, KeyPath
from marketing_platform.features.spec import Features
from marketing_platform.recommenders.rules.spec import Condition, Filter

MOST_PARTS = 100  # conditions and groups of one segment, so that its query stays one that engines plan
MOST_DEEP = 8  # groups within groups

OfUser = Literal["user", "features", "engagement"]
OfRows = Literal["interest", "campaign"]

# Tables with at most one row per user, and with any number of rows.
OF_USER: Mapping[OfUser, str] = {
    "user": "users",
    "features": "user_features",
    "engagement": "user_engagement",
}
OF_ROWS: Mapping[OfRows, str] = {"interest": "derived_interests", "campaign": "user_campaign_engagement"}
BOUGHT = ("purchases", "products")
# Every table that a segment may look into, the one that knows every user first.
READS = (*OF_USER.values(), *OF_ROWS.values(), *BOUGHT)
_USER_ID = "user_id"


class Bought(Declared):
    """At least so many orders with a line for which everything holds; returns are no order."""

    where: Filter | None = None  # columns of purchases, or `products.<column>` of what was bought
    days: int | None = Field(None, ge=1, le=36_500)  # within the last so many times 24 hours of the data
    orders: int = Field(1, ge=1, le=1_000_000)


class Criteria(Declared):
    """Who belongs to it: every key given holds. Nothing holds of what is not known of a user."""

    all_of: tuple[Criteria, ...] | None = Field(None, alias="all", min_length=1)
    any_of: tuple[Criteria, ...] | None = Field(None, alias="any", min_length=1)
    none_of: tuple[Criteria, ...] | None = Field(None, alias="none", min_length=1)
    user: Filter | None = None  # columns of users
    features: Filter | None = None  # as declared for users
    engagement: Filter | None = None  # columns of user_engagement
    interest: Filter | None = None  # of one row of derived_interests
    campaign: Filter | None = None  # of one row of user_campaign_engagement
    bought: Bought | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            keys = (field.alias or name for name, field in type(self).model_fields.items())
            raise ValueError(f"at least one of {', '.join(keys)}")
        return self

    @property
    def groups(self) -> Mapping[str, tuple[Criteria, ...]]:
        """The groups of criteria in it, by how they count."""
        given = {"all": self.all_of, "any": self.any_of, "none": self.none_of}
        return {key: group for key, group in given.items() if group is not None}


class SegmentFile(Declared):
    """One file: a segment, called as the file is."""

    description: Annotated[str, Field(min_length=1, max_length=500)]
    who: Criteria

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        bound(self.who)
        return self


@dataclass(frozen=True)
class Segment:
    """A declared segment."""

    name: str
    description: str
    who: Criteria


@dataclass(frozen=True)
class Leaf:
    """Conditions on the columns of one table (or of purchases and what was bought), and where they stand."""

    path: KeyPath
    columns: Mapping[str, Column]
    conditions: Filter


def bound(who: Criteria) -> None:
    """ValueError when criteria are too many or too deep."""
    parts, deepest = _size(who)
    if parts > MOST_PARTS:
        raise ValueError(f"at most {MOST_PARTS} conditions and groups (there are {parts})")
    if deepest > MOST_DEEP:
        raise ValueError(f"groups at most {MOST_DEEP} deep (there are {deepest})")


def leaves(who: Criteria, features: Features | None, path: KeyPath = ()) -> Iterator[Leaf]:
    """All conditions with the columns that there are; those on features are left out without `features`."""
    for key, group in who.groups.items():
        for place, part in enumerate(group):
            yield from leaves(part, features, (*path, key, place))
    for key in (*OF_USER, *OF_ROWS):
        conditions: Filter | None = getattr(who, key)
        if conditions is not None and not (key == "features" and features is None):
            yield Leaf((*path, key), columns_of(key, features), conditions)
    if who.bought is not None and who.bought.where is not None:
        yield Leaf((*path, "bought", "where"), columns_bought(), who.bought.where)


def columns_of(key: OfUser | OfRows, features: Features | None) -> Mapping[str, Column]:
    """What a condition under a key may name."""
    if key == "user":
        # Not who somebody is: criteria are tried by who may not look single people up.
        return {one.name: one for one in table("users").columns if one.name == _USER_ID or not one.personal}
    if key == "features":
        scalars = features.scalars if features else ()
        return {
            one.name: Column(name=one.name, type=one.type, description=one.description) for one in scalars
        }
    declared = aggregate(OF_USER["engagement"] if key == "engagement" else OF_ROWS[key])
    return {column.name: column for column in declared.columns if column.name != _USER_ID}


def columns_bought() -> Mapping[str, Column]:
    """What a condition on purchases may name."""
    lines = {column.name: column for column in table("purchases").columns if column.name != _USER_ID}
    return lines | {f"products.{column.name}": column for column in table("products").columns}


def known_names(features: Features) -> frozenset[str]:
    """Every key that criteria may have, and every column that conditions may name."""
    columns = [columns_of(key, features) for key in (*OF_USER, *OF_ROWS)]
    keys = [
        field.alias or name
        for model in (Criteria, Bought, Condition)
        for name, field in model.model_fields.items()
    ]
    return frozenset(keys).union(columns_bought(), *columns)


def _size(who: Criteria) -> tuple[int, int]:
    """How many conditions and groups, and how deep."""
    inner = [_size(part) for group in who.groups.values() for part in group]
    own = sum(len(getattr(who, key) or ()) for key in (*OF_USER, *OF_ROWS))
    bought = 1 + len(who.bought.where or ()) if who.bought else 0
    parts = 1 + own + bought + sum(parts for parts, _ in inner)
    return parts, 1 + max((deep for _, deep in inner), default=0)
