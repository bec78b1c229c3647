"""Why a product is recommended: a sentence for a marketer, the parts of the score, and a path to it.

Everything here is read off what the hybrid's score is made of (`Hybrid.reasons`); nothing is guessed
afterwards. Which products are recommended is decided elsewhere (`product_batches.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketing_platform.recommenders.answers import FIGURE_DIGITS, CauseOf, PathStep
from marketing_platform.recommenders.campaigns import PARTICIPATED_IN, SENT, SIMILAR_TO, node
from marketing_platform.recommenders.families import CauseKind
from marketing_platform.recommenders.item_training import Products
from marketing_platform.recommenders.reasons import Cause, Reason, Source

# Named in a sentence and a path when what a cause says comes from this family.
_BY_MEANING = "content"

PURCHASED = PathStep(kind="relation", label="PURCHASED", id=None)
INTERESTED_IN = PathStep(kind="relation", label="INTERESTED_IN", id=None)
PROMOTES = PathStep(kind="relation", label="PROMOTES", id=None)
BELONGS_TO = PathStep(kind="relation", label="BELONGS_TO", id=None)
# Found for an answer, so they are no relations of the stored graph.
GOES_WITH = PathStep(kind="relation", label="GOES_WITH", id=None)
NAMES = PathStep(kind="relation", label="NAMES", id=None)

# How answers call causes, and nodes by what they are.
_KINDS: Mapping[CauseKind, CauseOf] = {
    "item": "product",
    "user": "user",
    "taste": "messages",
    "everyone": "everyone",
}
_NODES: Mapping[str, CauseOf] = {"interest": "interest", "campaign": "campaign"}

# What is the same for everybody, by what says so: a family, the end of the fallbacks, a rule.
_EVERYONE = {
    "trending": "Among the products that most users bought lately",
    "popular": "Among the products that most users bought",
    "catalogue": "From the catalogue, since too little was bought to choose by",
    "holdout": "Among the products that most users bought, to measure what personal lists are worth",
    "rules": "Placed here by a rule",
}


@dataclass(frozen=True)
class Explanation:
    """Why one item, as the fields of a `ProductItem`."""

    personal: bool  # whether anything about the user speaks for it
    reason: str
    contributions: list[dict[str, Any]]
    path: list[PathStep]


class Explainer:
    """Turns sources and causes into words and paths over ids and names."""

    def __init__(self, products: Products) -> None:
        self._products = products
        self._training = products.training
        # Arrays of objects are slower to look up in, some million times.
        self._users: list[str] = [str(user) for user in products.training.users]
        self._steps: dict[int, PathStep] = {}
        self._items: list[str] = [str(item) for item in products.training.items]

    def of_reason(self, row: int, item: int, why: Reason) -> Explanation:
        """Why the weighted sum of families ranks the item for the user."""
        return Explanation(
            personal=why.personal,
            reason=self._reason(item, why),
            contributions=[self._contribution(source) for source in why.sources],
            path=self._path(row, item, why.main, why.family),
        )

    def of_everyone(self, item: int, why: str) -> Explanation:
        """Why the item stands in a list without anything about the user: a fallback, or `rules`."""
        everyone = {"kind": "everyone", "id": None, "share": 1.0}
        return Explanation(
            personal=False,
            reason=f"{_EVERYONE[why]}; nothing about the user decides it.",
            contributions=[{"recommender": why, "share": 1.0, "causes": [everyone]}],
            path=[self._product(item)],
        )

    def _reason(self, item: int, why: Reason) -> str:
        main = why.main
        match main.kind:
            case "item":
                return self._because_bought(item, why)
            case "user":
                above_all = "," if why.alike == 1 else ", above all"
                bought = _counted(why.alike, "user who buys alike", "users who buy alike")
                return f"{bought} bought it{above_all} {self._users[main.place or 0]}."
            case "node":
                return self._because_linked(item, main)
            case "taste":
                return "Reads like what the user wrote."
            case "everyone":
                return f"{_EVERYONE[why.family]}."

    def _because_bought(self, item: int, why: Reason) -> str:
        first = why.main.place or 0
        if first == item:
            return "The user bought it before."
        more = f" and {_counted(why.others, 'other product')}" if why.others else ""
        says = "Reads like" if why.family == _BY_MEANING else "Goes with"
        return f"{says} {self._products.names[first]}{more} that the user bought."

    def _because_linked(self, item: int, largest: Cause) -> str:
        name = self._training.links[largest.of].nodes[largest.place or 0]
        if largest.of == "interest":
            return f"The user is interested in {name}."
        return f"The user took part in campaign {name}, which promotes {self._category(item)}."

    def _path(self, row: int, item: int, largest: Cause, family: str) -> list[PathStep]:
        user, product = node("User", self._users[row]), self._product(item)
        place = largest.place or 0
        match largest.kind:
            case "item" if place == item:
                return [user, PURCHASED, product]
            case "item":
                like = SIMILAR_TO if family == _BY_MEANING else GOES_WITH
                return [user, PURCHASED, self._product(place), like, product]
            case "user":
                return [user, SIMILAR_TO, node("User", self._users[place]), PURCHASED, product]
            case "node":
                name = self._training.links[largest.of].nodes[place]
                category = node("Category", self._category(item))
                steps = (
                    [INTERESTED_IN, node("Interest", name), NAMES]
                    if largest.of == "interest"
                    else [PARTICIPATED_IN, node("Campaign", name), PROMOTES]
                )
                return [user, *steps, category, BELONGS_TO, product]
            case "taste":
                return [user, SENT, node("Message", None), SIMILAR_TO, product]
            case "everyone":
                return [product]

    def _contribution(self, source: Source) -> dict[str, Any]:
        causes = [
            {
                "kind": _kind(cause),
                "id": self._id(cause),
                "share": _figure(cause.share),
            }
            for cause in source.causes
        ]
        return {"recommender": source.family, "share": _figure(source.share), "causes": causes}

    def _id(self, cause: Cause) -> str | None:
        if cause.place is None:
            return None
        match cause.kind:
            case "item":
                return self._items[cause.place]
            case "user":
                return self._users[cause.place]
            case _:
                return self._training.links[cause.of].nodes[cause.place]

    def _product(self, item: int) -> PathStep:
        if item not in self._steps:
            self._steps[item] = node("Product", self._items[item])
        return self._steps[item]

    def _category(self, item: int) -> str:
        known = self._training.categories
        return self._products.categories[int(known[item])] if known is not None else ""


def _kind(cause: Cause) -> CauseOf:
    return _KINDS[cause.kind] if cause.kind in _KINDS else _NODES[cause.of]


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _figure(value: float) -> float:
    return round(value, FIGURE_DIGITS)
