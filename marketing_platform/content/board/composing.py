"""What is on a board: the products, interests and ideas of a person, and why each of them.

Where they stand is decided in `layout.py`, which of them have room too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from marketing_platform.content.board.document import SectionName
from marketing_platform.content.board.spec import Idea, Words
from marketing_platform.content.board.typography import clean
from marketing_platform.content.people import Interest, Person

# How the platform came to know an interest, as people are told.
_SOURCES: Mapping[str, str] = {
    "stated": "You told us",
    "purchases": "From what you bought",
    "messages": "From what you wrote to us",
}
_SOMEHOW = "From what you do"
# Why a product is there, by the node of the graph that leads to it.
_BECAUSE: Mapping[str, str] = {
    "User": "Chosen by people with your taste.",
    "Campaign": "Fits what you looked at.",
    "Message": "Fits what you wrote to us.",
}
_TAGLINE = 3  # interests named below the title
_IDEAS = 4


@dataclass(frozen=True)
class Recommended:
    """A product that is recommended to the person."""

    product_id: str
    name: str
    category: str | None
    already_bought: bool
    path: Sequence[Mapping[str, Any]]  # from the person to the product: steps of the answer


@dataclass(frozen=True)
class Item:
    """Something on a board."""

    section: SectionName
    item: str
    title: str
    subtitle: str | None = None
    why: str | None = None
    category: str | None = None
    strength: float | None = None  # 0 to 1, shown as a bar
    image: str | None = None  # SHA-256


@dataclass(frozen=True)
class Content:
    """What is on a board, the most important first."""

    user_id: str
    title: str
    tagline: str
    items: Mapping[SectionName, Sequence[Item]]
    notes: tuple[str, ...] = ()


def compose(
    person: Person,
    products: Sequence[Recommended],
    words: Words,
    image_of: Callable[[str | None, str | None], str | None],
) -> Content:
    """What is on the board of a person.

    Args:
        person: What the release knows of them.
        products: Recommended to them, best first; what must not leave is left out already.
        words: What boards say.
        image_of: The image (SHA-256) of a product or, without one, of a category; None where there is none.
    """
    name = clean(person.name or "")
    interests = [clean(one.interest) for one in person.interests]
    named = " · ".join([one for one in interests if one][:_TAGLINE])
    return Content(
        user_id=person.user_id,
        title=words.title.format(name=name) if name else words.title_without_name,
        tagline=words.tagline.format(interests=named) if named else words.tagline_without_interests,
        items={
            "product": [_product(one, person, image_of(one.product_id, one.category)) for one in products],
            "interest": [_interest(one, person, image_of(None, one.interest)) for one in person.interests],
            "inspiration": [_idea(one) for one in _ideas(person, products, words.ideas)],
        },
    )


def _product(one: Recommended, person: Person, image: str | None) -> Item:
    return Item(
        "product",
        one.product_id,
        clean(one.name) or clean(one.product_id) or "–",
        clean(one.category or "") or None,
        _why(one, person),
        one.category,
        image=image,
    )


def _why(one: Recommended, person: Person) -> str:
    """The sentence of the answer is for marketers and may name others; this one is for the person."""
    steps = one.path[:-1]
    causes = {step["label"]: step["id"] for step in steps[1:] if step["kind"] == "node"}
    cause = next((label for label in ("Interest", "Product", *_BECAUSE) if label in causes), None)
    if one.already_bought:
        return "You had it before."
    if cause == "Interest":
        return f"You are interested in {clean(str(causes[cause]))}."
    if cause == "Product":
        owned = next((had.name for had in person.purchases if had.product_id == causes[cause]), None)
        return f"Goes with your {clean(owned)}." if owned and clean(owned) else "Goes with what you have."
    return _BECAUSE.get(cause or "", "Liked by many at the moment.")


def _interest(one: Interest, person: Person, image: str | None) -> Item:
    owned = [clean(had.name) for had in person.purchases if had.category == one.interest and had.name]
    return Item(
        "interest",
        one.interest,
        clean(one.interest) or "–",
        _SOURCES.get(one.source, _SOMEHOW),
        f"You have: {owned[0]}." if owned else None,
        one.interest,
        min(1.0, max(0.0, one.strength)),
        image,
    )


def _ideas(person: Person, products: Sequence[Recommended], declared: Sequence[Idea]) -> list[Idea]:
    """Those that fit, in the order of what the person cares about; of several about the same, one by chance.

    Chance is a hash of the person: the same ideas whenever they are asked for.
    """
    topics = [
        *(one.interest for one in person.interests),
        *(one.category for one in products),
        *(had.category for had in person.purchases),
    ]
    found: list[Idea] = []
    for topic in dict.fromkeys(topic for topic in topics if topic):
        fitting = [idea for idea in declared if topic in idea.about]
        if fitting:
            found.append(_drawn(fitting, person.user_id, topic))
    general = [idea for idea in declared if not idea.about]
    if general:
        found.append(_drawn(general, person.user_id, ""))
    return list(dict.fromkeys(found))[:_IDEAS]


def _drawn(ideas: Sequence[Idea], user_id: str, topic: str) -> Idea:
    seed = blake2b(f"{user_id}\n{topic}".encode("utf-8", "surrogatepass"), digest_size=8)
    return ideas[int.from_bytes(seed.digest()) % len(ideas)]


def _idea(one: Idea) -> Item:
    return Item(
        "inspiration", one.title, clean(one.title), why=clean(one.text), category=next(iter(one.about), None)
    )
