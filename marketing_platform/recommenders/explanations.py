"""Why an item is recommended: a sentence for a marketer, the parts of the score, and a path to it.

Everything here is read off what the hybrid's score is made of (`Hybrid.reasons`); nothing is guessed
afterwards. Which items are recommended is decided elsewhere (`item_batches.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketing_platform.recommenders.answers import FIGURE_DIGITS, PathStep
from marketing_platform.recommenders.campaigns import PARTICIPATED_IN, SENT, SIMILAR_TO, node
from marketing_platform.recommenders.families import CauseKind
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.reasons import Cause, Reason, Source

# Named in a sentence and a path when what a cause says comes from this family.
_BY_MEANING = "content"

INTERESTED_IN = PathStep(kind="relation", label="INTERESTED_IN", id=None)
PROMOTES = PathStep(kind="relation", label="PROMOTES", id=None)
# Found for an answer, so they are no relations of the stored graph.
GOES_WITH = PathStep(kind="relation", label="GOES_WITH", id=None)
NAMES = PathStep(kind="relation", label="NAMES", id=None)

# What is the same for everybody, by what says so: a family, the end of the fallbacks, a rule.
_EVERYONE = {
    "trending": "Among the {noun}s that most users {took} lately",
    "popular": "Among the {noun}s that most users {took}",
    "catalogue": "One of all {noun}s, since {too_little} to choose by",
    "holdout": "Among the {noun}s that most users {took}, to measure what personal lists are worth",
    "rules": "Placed here by a rule",
}


@dataclass(frozen=True)
class Explanation:
    """Why one item, as the fields of an item in an answer."""

    personal: bool  # whether anything about the user speaks for it
    reason: str
    contributions: list[dict[str, Any]]
    path: list[PathStep]


class Explainer:
    """Turns sources and causes into words and paths over ids and names."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._training = items.training
        self._words = words = items.kind.words
        self._everyone = {why: text.format_map(vars(words)) for why, text in _EVERYONE.items()}
        self._taken = PathStep(kind="relation", label=words.taken, id=None)
        self._of_category = PathStep(kind="relation", label=words.of_category, id=None)
        # Arrays of objects are slower to look up in, some million times.
        self._user_ids: list[str] = [str(user) for user in items.training.users]
        self._item_ids: list[str] = [str(item) for item in items.training.items]
        self._steps: dict[int, PathStep] = {}
        self._node_names: dict[str, Sequence[str]] = {
            of: [items.statements[of].names[node] for node in links.nodes]
            for of, links in items.training.links.items()
        }
        # What a cause of a kind is called in answers, and the ids and names of its places; users have none.
        self._named: dict[tuple[CauseKind, str], tuple[str, Sequence[str], Sequence[str]]] = {
            ("item", ""): (words.noun, self._item_ids, items.names),
            ("user", ""): ("user", self._user_ids, ()),
            ("taste", ""): ("messages", (), ()),
            ("everyone", ""): ("everyone", (), ()),
            **{
                ("node", of): (of, links.nodes, self._node_names[of])
                for of, links in items.training.links.items()
            },
        }

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
        everyone = {"kind": "everyone", "id": None, "name": None, "share": 1.0}
        return Explanation(
            personal=False,
            reason=f"{self._everyone[why]}; nothing about the user decides it.",
            contributions=[{"recommender": why, "share": 1.0, "causes": [everyone]}],
            path=[self._item(item)],
        )

    def _reason(self, item: int, why: Reason) -> str:
        main = why.main
        match main.kind:
            case "item":
                return self._because_taken(item, why)
            case "user":
                above_all = "," if why.alike == 1 else ", above all"
                others = _counted(why.alike, "user with the same taste", "users with the same taste")
                return f"{others} {self._words.took_it}{above_all} {self._user_ids[main.place or 0]}."
            case "node":
                return self._because_linked(item, main)
            case "taste":
                return "Reads like what the user wrote."
            case "everyone":
                return f"{self._everyone[why.family]}."

    def _because_taken(self, item: int, why: Reason) -> str:
        first = why.main.place or 0
        if first == item:
            return f"The user {self._words.took_it} before."
        more = f" and {_counted(why.others, f'other {self._words.noun}')}" if why.others else ""
        says = "Reads like" if why.family == _BY_MEANING else "Goes with"
        return f"{says} {self._items.names[first]}{more} that the user {self._words.took}."

    def _because_linked(self, item: int, largest: Cause) -> str:
        name = self._node_names[largest.of][largest.place or 0]
        if largest.of == "interest":
            return f"The user is interested in {name}."
        return f"The user took part in campaign {name}, which promotes {self._category(item)}."

    def _path(self, row: int, item: int, largest: Cause, family: str) -> list[PathStep]:
        user, end = node("User", self._user_ids[row]), self._item(item)
        place = largest.place or 0
        match largest.kind:
            case "item" if place == item:
                return [user, self._taken, end]
            case "item":
                like = SIMILAR_TO if family == _BY_MEANING else GOES_WITH
                return [user, self._taken, self._item(place), like, end]
            case "user":
                return [user, SIMILAR_TO, node("User", self._user_ids[place]), self._taken, end]
            case "node":
                identity = self._training.links[largest.of].nodes[place]
                name = self._node_names[largest.of][place]
                category = node("Category", self._category(item))
                steps = (
                    [INTERESTED_IN, node("Interest", identity, name), NAMES]
                    if largest.of == "interest"
                    else [PARTICIPATED_IN, node("Campaign", identity, name), PROMOTES]
                )
                return [user, *steps, category, self._of_category, end]
            case "taste":
                return [user, SENT, node("Message", None), SIMILAR_TO, end]
            case "everyone":
                return [end]

    def _contribution(self, source: Source) -> dict[str, Any]:
        return {
            "recommender": source.family,
            "share": round(source.share, FIGURE_DIGITS),
            "causes": [self._cause(*cause) for cause in source.causes],
        }

    def _cause(self, kind: CauseKind, place: int | None, share: float, of: str) -> dict[str, Any]:
        called, ids, names = self._named[kind, of]
        return {
            "kind": called,
            "id": None if place is None else ids[place],
            "name": names[place] if names and place is not None else None,
            "share": round(share, FIGURE_DIGITS),
        }

    def _item(self, item: int) -> PathStep:
        if item not in self._steps:
            self._steps[item] = node(self._words.label, self._item_ids[item], self._items.names[item])
        return self._steps[item]

    def _category(self, item: int) -> str:
        known = self._training.categories
        return self._items.categories[int(known[item])] if known is not None else ""


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
