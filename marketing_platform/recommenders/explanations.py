"""Why a product is recommended: a sentence for a marketer, the parts of the score, and a path to it.

Everything here is read off what the hybrid's score is made of (`Hybrid.sources`); nothing is guessed
afterwards. Which products are recommended is decided elsewhere (`product_batches.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketing_platform.recommenders.answers import FIGURE_DIGITS, CauseOf, PathStep
from marketing_platform.recommenders.campaigns import PARTICIPATED_IN, SENT, SIMILAR_TO, node
from marketing_platform.recommenders.families import Cause
from marketing_platform.recommenders.hybrid import Source, causes_of
from marketing_platform.recommenders.item_training import Products

_NAMED_CAUSES = 3
# Named in a sentence and a path when what a cause says comes from this family.
_BY_MEANING = "content"

PURCHASED = PathStep(kind="relation", label="PURCHASED", id=None)
INTERESTED_IN = PathStep(kind="relation", label="INTERESTED_IN", id=None)
PROMOTES = PathStep(kind="relation", label="PROMOTES", id=None)
BELONGS_TO = PathStep(kind="relation", label="BELONGS_TO", id=None)
# Found for an answer, so they are no relations of the stored graph.
GOES_WITH = PathStep(kind="relation", label="GOES_WITH", id=None)
NAMES = PathStep(kind="relation", label="NAMES", id=None)

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

    def of_sources(self, row: int, item: int, sources: Sequence[Source]) -> Explanation:
        """Why the weighted sum of families ranks the item for the user; `sources` has at least one."""
        causes = causes_of(sources)
        largest = causes[0]
        family = next(source.family for source in sources if largest_in(source, largest))
        return Explanation(
            personal=any(cause.kind != "everyone" for cause in causes),
            reason=self._reason(item, causes, family),
            contributions=self._contributions(sources, sum(cause.weight for cause in causes)),
            path=self._path(row, item, largest, family),
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

    def _reason(self, item: int, causes: Sequence[Cause], family: str) -> str:
        largest = causes[0]
        alike = [cause for cause in causes if (cause.kind, cause.of) == (largest.kind, largest.of)]
        match largest.kind:
            case "item":
                return self._because_bought(item, alike, family)
            case "user":
                above_all = "," if len(alike) == 1 else ", above all"
                bought = _counted(len(alike), "user who buys alike", "users who buy alike")
                return f"{bought} bought it{above_all} {self._training.users[largest.place]}."
            case "node":
                return self._because_linked(item, largest)
            case "taste":
                return "Reads like what the user wrote."
            case "everyone":
                return f"{_EVERYONE[family]}."

    def _because_bought(self, item: int, bought: Sequence[Cause], family: str) -> str:
        """`bought` are the products behind it, the largest cause first."""
        first = bought[0].place or 0
        if first == item:
            return "The user bought it before."
        others = sum(cause.place not in {item, first} for cause in bought)
        more = f" and {_counted(others, 'other product')}" if others else ""
        says = "Reads like" if family == _BY_MEANING else "Goes with"
        return f"{says} {self._products.names[first]}{more} that the user bought."

    def _because_linked(self, item: int, largest: Cause) -> str:
        name = self._training.links[largest.of].nodes[largest.place or 0]
        if largest.of == "interest":
            return f"The user is interested in {name}."
        return f"The user took part in campaign {name}, which promotes {self._category(item)}."

    def _path(self, row: int, item: int, largest: Cause, family: str) -> list[PathStep]:
        user, product = node("User", str(self._training.users[row])), self._product(item)
        place = largest.place or 0
        match largest.kind:
            case "item" if place == item:
                return [user, PURCHASED, product]
            case "item":
                like = SIMILAR_TO if family == _BY_MEANING else GOES_WITH
                return [user, PURCHASED, self._product(place), like, product]
            case "user":
                return [user, SIMILAR_TO, node("User", str(self._training.users[place])), PURCHASED, product]
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

    def _contributions(self, sources: Sequence[Source], total: float) -> list[dict[str, Any]]:
        return [
            {
                "recommender": source.family,
                "share": _figure(source.share),
                "causes": [
                    {
                        "kind": self._kind(cause),
                        "id": self._id(cause),
                        "share": _figure(cause.weight / total),
                    }
                    for cause in source.causes[:_NAMED_CAUSES]
                ],
            }
            for source in sources
        ]

    def _kind(self, cause: Cause) -> CauseOf:
        kinds: Mapping[str, CauseOf] = {"interest": "interest", "campaign": "campaign"}
        match cause.kind:
            case "item":
                return "product"
            case "user":
                return "user"
            case "node":
                return kinds[cause.of]
            case "taste":
                return "messages"
            case "everyone":
                return "everyone"

    def _id(self, cause: Cause) -> str | None:
        if cause.place is None:
            return None
        match cause.kind:
            case "item":
                return str(self._training.items[cause.place])
            case "user":
                return str(self._training.users[cause.place])
            case _:
                return self._training.links[cause.of].nodes[cause.place]

    def _product(self, item: int) -> PathStep:
        return node("Product", str(self._training.items[item]))

    def _category(self, item: int) -> str:
        known = self._training.categories
        return self._products.categories[int(known[item])] if known is not None else ""


def largest_in(source: Source, wanted: Cause) -> bool:
    """Whether the family names this cause."""
    return any(
        (cause.kind, cause.place, cause.of) == (wanted.kind, wanted.place, wanted.of)
        for cause in source.causes
    )


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _figure(value: float) -> float:
    return round(float(value), FIGURE_DIGITS)
