"""What a question names, piece by piece, and mixtures of pieces that no one intent can say.

How pieces are found is in `reading.py`, what is made of them in `parsing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from marketing_platform.analytics.kpis.question import Order
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.date_words import DateWords
from marketing_platform.analytics.questions.lexing import Item
from marketing_platform.analytics.questions.refusal import NotUnderstood


@dataclass(frozen=True)
class Mention:
    """Values of a dimension, as a question names them."""

    dimension: str
    values: tuple[str, ...]
    text: str
    never: bool
    opposed: bool = False  # behind `vs`
    absent: bool = False  # a country that the data does not have


@dataclass
class Pieces:
    """What a question names."""

    metrics: list[str] = field(default_factory=list)
    overview: bool = False
    by: list[str] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    dates: list[DateWords] = field(default_factory=list)
    against: list[DateWords] = field(default_factory=list)
    before: Literal["previous", "year_before"] | None = None  # compared with, without days of its own
    before_unit: Literal["day", "week", "month", "quarter"] | None = None
    literal_order: bool = True  # compare A with B; not: compare A and B
    compare: bool = False
    share: bool = False
    why: bool = False
    trend: bool = False
    change: bool = False
    said: Literal["rise", "fall"] | None = None
    order: Order | None = None
    order_by: str | None = None
    limit: int | None = None
    follows: bool = False
    repeats: bool = False  # a KPI is named twice: mobile clicks and desktop clicks


def refuse_mixed(items: Sequence[Item], found: Pieces) -> None:
    """NotUnderstood when the pieces ask for several things that do not fit into one intent."""
    _refuse_pairs(items, found)
    _refuse_sides(found)
    _refuse_orders(found)


def _refuse_pairs(items: Sequence[Item], found: Pieces) -> None:
    """`Google's CTR and Meta's CPC`, `CTR on mobile and CPC on desktop`: two figures of two things each."""
    if len(found.metrics) < 2:  # noqa: PLR2004 -- a pair
        return
    owners = [
        one.name for one, following in pairwise(items) if (one.sort, following.sort) == ("value", "kpi")
    ]
    if len(set(owners)) < len(owners) or _takes_turns(items, found):
        raise NotUnderstood("different KPIs of different things; ask for one after the other")


def _takes_turns(items: Sequence[Item], found: Pieces) -> bool:
    """Whether a KPI, what it is of, another KPI and what that is of follow each other, in this order."""
    mentions = iter(found.mentions)
    said = [
        item.name if item.sort == "kpi" else ""  # a KPI, or what it is of
        for item in items
        if item.sort == "kpi" or (item.sort in ("value", "absent") and not next(mentions).never)
    ]
    owned = [one for one, following in pairwise(said) if one and not following]
    return len(set(owned)) > 1


def _refuse_sides(found: Pieces) -> None:
    """`Meta mobile vs Google desktop` compares two pairs, which filters of both sides cannot say."""
    named = [one for one in found.mentions if not one.never]
    for dimension in {one.dimension for one in named if one.opposed}:
        others = [one.dimension for one in named if one.dimension != dimension]
        if len(set(others)) < len(others):
            raise NotUnderstood("the two sides differ in more than one thing; compare them in one")


def _refuse_orders(found: Pieces) -> None:
    if found.order is not None and found.change:
        raise NotUnderstood(
            "lines are ordered by a figure, not by its change; ask why it changed, or compare the lines"
        )
    places = [name for name in found.by if name not in TIME_BUCKETS]
    if found.limit is not None and found.limit > 0 and len(places) > 1:
        raise NotUnderstood(
            f"the best of each {places[-1]} is not asked for in one go; choose one {places[-1]}"
        )
