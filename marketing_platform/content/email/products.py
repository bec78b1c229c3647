"""Recommended products as an e-mail shows them: with a link, and a tile of colour for an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from marketing_platform.content.email.texts import one_line
from marketing_platform.content.people import Person
from marketing_platform.recommenders.prepared import StoredList
from marketing_platform.recommenders.rules import LiveFacts, Rule, leaving

_LONGEST_NAME, _LONGEST_CATEGORY = 80, 40
# Background and writing on it; contrast of each pair is above 4.5.
_PALETTE = (
    ("#1f4b3f", "#e9f5ee"),
    ("#7a3b1d", "#fdf0e6"),
    ("#233a66", "#e8eefb"),
    ("#6b2246", "#fbe9f2"),
    ("#4a4a12", "#f7f6dc"),
    ("#0f4c5c", "#e3f4f7"),
    ("#5a2d6e", "#f4e9fa"),
    ("#7d1f2b", "#fdebed"),
    ("#2f4a1e", "#eef6e6"),
    ("#3d3a36", "#f5f2ec"),
)


@dataclass(frozen=True)
class Shown:
    """A product in an e-mail."""

    product_id: str
    name: str
    category: str  # empty when nobody said
    because: str  # a product that the person bought and that this one goes with; empty when there is none
    url: str
    colour: str  # of its tile, by category
    ink: str  # of what stands on the tile
    initial: str


@dataclass(frozen=True)
class Recommended:
    """A recommended product as the release has it."""

    product_id: str
    name: str
    category: str | None
    causes: tuple[str, ...]  # products that it was recommended for, the largest cause first
    listed: bool = True  # among the recommendations; else it only goes with something that the person has

    @classmethod
    def read(cls, item: bytes, category: str | None) -> Recommended:
        """From an item of a prepared list (`recommenders/answers.py`, ProductItem)."""
        told: dict[str, Any] = orjson.loads(item)
        causes = (
            cause["id"]
            for part in told["contributions"]
            for cause in part["causes"]
            if cause["kind"] == "product" and cause["id"] is not None
        )
        return cls(told["product_id"], told["name"], category, tuple(dict.fromkeys(causes)))


def leaving_now(
    stored: StoredList | None, person: Person, rules: Sequence[Rule], facts: LiveFacts
) -> Sequence[Recommended]:
    """What of a user's prepared list may leave now, as the API would give it; then other complements."""
    return [*_listed(stored, person, rules, facts), *_complements(stored, person, rules, facts)]


def _listed(
    stored: StoredList | None, person: Person, rules: Sequence[Rule], facts: LiveFacts
) -> Iterator[Recommended]:
    if stored is None:
        return
    categories = stored.categories or [None] * len(stored.ids)
    for place in leaving(rules, person.user_id, stored.ids, facts, limit=stored.shown).kept:
        yield Recommended.read(stored.items[place], categories[place])


def _complements(
    stored: StoredList | None, person: Person, rules: Sequence[Rule], facts: LiveFacts
) -> Iterator[Recommended]:
    listed = frozenset(stored.ids) if stored else frozenset[str]()
    others = [one for one in person.complements if one.product_id not in listed]
    ids = [one.product_id for one in others]
    for place in leaving(rules, person.user_id, ids, facts, limit=len(ids)).kept:
        one = others[place]
        name = one.name or one.product_id
        yield Recommended(one.product_id, name, one.category, (one.goes_with,), listed=False)


def complements(products: Sequence[Recommended], person: Person) -> Sequence[Recommended]:
    """Those that go with what the person has, what they bought last first; the order stays otherwise."""
    bought = [line.product_id for line in person.purchases]
    going = [one for one in products if not set(one.causes).isdisjoint(bought)]
    return sorted(going, key=lambda one: bought[0] not in one.causes)


def shown(products: Sequence[Recommended], person: Person, urls: Sequence[str]) -> Iterator[Shown]:
    """Products as the e-mail shows them, each with its address."""
    bought = {line.product_id: line.name for line in reversed(person.purchases)}
    for product, url in zip(products, urls, strict=True):
        name = one_line(product.name, _LONGEST_NAME) or product.product_id[:_LONGEST_NAME]
        category = one_line(product.category or "", _LONGEST_CATEGORY)
        colour, ink = _tile(category)
        yield Shown(
            product_id=product.product_id,
            name=name,
            category=category,
            because=_because(product, bought),
            url=url,
            colour=colour,
            ink=ink,
            initial=next((one for one in name if one.isalnum()), "·").upper()[:1],
        )


def _because(product: Recommended, bought: Mapping[str, str | None]) -> str:
    named = (bought[cause] for cause in product.causes if cause in bought and cause != product.product_id)
    return one_line(next((name for name in named if name), ""), _LONGEST_NAME)


def _tile(category: str) -> tuple[str, str]:
    number = int.from_bytes(blake2b(category.encode(), digest_size=2).digest(), "big")
    return _PALETTE[number % len(_PALETTE)]
