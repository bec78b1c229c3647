"""Boards for tests: of people and products that a test makes up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from marketing_platform.content.board.composing import Content, Recommended, compose
from marketing_platform.content.board.document import Board
from marketing_platform.content.board.layout import laid_out
from marketing_platform.content.board.loading import load_design
from marketing_platform.content.board.spec import Design
from marketing_platform.content.board.typography import Fonts, open_fonts
from marketing_platform.content.people import Bought, Interest, Person
from marketing_platform.settings import PROJECT_DIR

THEMES = ("light", "dark", "meadow", "dusk", "paper")
ASPECTS = ("16:9", "1:1", "9:16", "4:5")


@cache
def design() -> Design:
    """What the project declares."""
    return load_design(PROJECT_DIR / "boards")


def fonts() -> Fonts:
    """The fonts of this process."""
    return open_fonts()


def person(
    name: str | None = "Anna Müller", interests: Sequence[Interest] = (), bought: Sequence[Bought] = ()
) -> Person:
    """Somebody with an id."""
    return Person("u-1", name, None, None, None, None, tuple(bought), tuple(interests))


def bought(product_id: str, name: str | None, category: str | None = None) -> Bought:
    """Something they have."""
    return Bought(product_id, name, category, datetime(2026, 5, 1, tzinfo=UTC), None)


def product(
    number: int, name: str, category: str | None = "Camping", path: Sequence[str] = ()
) -> Recommended:
    """A product; `path` are labels of nodes that lead to it, each with the id `p-0`."""
    steps: list[Mapping[str, str | None]] = [{"kind": "node", "label": "User", "id": "u-1"}]
    steps += [{"kind": "node", "label": label, "id": "p-0"} for label in path]
    steps += [{"kind": "node", "label": "Product", "id": f"p-{number}"}]
    return Recommended(
        f"p-{number}", name, category, already_bought=False, path=steps if path else steps[-1:]
    )


def sample() -> Content:
    """A board with everything on it."""
    interests = [
        Interest("Camping", 0.9, "stated", 1.0),
        Interest("Hiking", 0.5, "purchases", 0.7),
        Interest("Kitchen", 0.1, "messages", 0.2),
    ]
    names = ["Birkvik 2-Person Tunnel Tent", "Beck 22 L Daypack", "Ember Pan", "Trailside First Aid Kit"]
    products = [product(number, name, path=["Product"]) for number, name in enumerate(names, 1)]
    anna = person(interests=interests, bought=[bought("p-0", "Tarn Insulated Trail Bottle", "Hiking")])
    return compose(anna, products, design().words, lambda *_: None)


def board_of(content: Content, theme: str = "light", aspect: str = "16:9") -> Board:
    """Its board as the project declares them."""
    return laid_out(content, design(), design().themes[theme], design().aspects[aspect], fonts())
