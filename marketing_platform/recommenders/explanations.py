"""Why items are recommended: a sentence for a marketer, the parts of the score, and a path to the item.

Everything here is read off what the hybrid's scores are made of (`Hybrid.reasons`); nothing is guessed
afterwards. Which items are recommended is decided elsewhere (`item_batches.py`). Sentences and paths are
made once for all users of a block for whom they are the same, and causes by the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from marketing_platform.recommenders.answers import PathStep
from marketing_platform.recommenders.campaigns import PARTICIPATED_IN, SENT, SIMILAR_TO, node
from marketing_platform.recommenders.families import CauseKind
from marketing_platform.recommenders.item_training import Items
from marketing_platform.recommenders.json_columns import (
    Text,
    arrays,
    encoded,
    fields,
    figures,
    joined,
    objects,
    taken,
)
from marketing_platform.recommenders.reasons import Kinds, Reasons

# Named in a sentence and a path when what a cause says comes from this family.
_BY_MEANING = "content"

# Sentences and paths that are kept for the next users: those of campaigns are fewer.
_REMEMBERED = 50_000

INTERESTED_IN = PathStep(kind="relation", label="INTERESTED_IN", id=None)
PROMOTES = PathStep(kind="relation", label="PROMOTES", id=None)
# Found for an answer, so they are no relations of the stored graph.
GOES_WITH = PathStep(kind="relation", label="GOES_WITH", id=None)
NAMES = PathStep(kind="relation", label="NAMES", id=None)

# What is the same for everybody, by what says so: a family, the end of the fallbacks, a rule.
_SAYS_OF_EVERYONE = {
    "trending": "Among the {noun}s that most users {took} lately",
    "popular": "Among the {noun}s that most users {took}",
    "catalogue": "One of all {noun}s, since {too_little} to choose by",
    "holdout": "Among the {noun}s that most users {took}, to measure what personal lists are worth",
    "rules": "Placed here by a rule",
}
# Why an item stands in a list without anything about the user.
EVERYONE = tuple(_SAYS_OF_EVERYONE)


@dataclass(frozen=True)
class Explained:
    """Why items are listed, one entry each."""

    personal: np.ndarray  # bool: whether anything about the user speaks for it
    recommender: np.ndarray  # the one with the largest share, as a number in `recommenders`
    recommenders: Sequence[str]  # EVERYONE, then families
    # Columns of JSON, as the fields of an item in an answer.
    reason: Text
    contributions: Text
    path: Text


class _Main(NamedTuple):
    """All that the sentence and the path of a main cause depend on, beside the user."""

    kind: CauseKind
    of: str
    place: int
    item: int
    family: str  # where words depend on it
    count: int  # of causes like it, where words depend on it


class Explainer:
    """Turns sources and causes into words and paths over ids and names."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._training = items.training
        self._words = words = items.kind.words
        self.user_ids = encoded(map(str, items.training.users))
        self.item_ids = encoded(map(str, items.training.items))
        self._says = {why: text.format_map(vars(words)) for why, text in _SAYS_OF_EVERYONE.items()}
        self._taken = PathStep(kind="relation", label=words.taken, id=None)
        self._of_category = PathStep(kind="relation", label=words.of_category, id=None)
        self._node_names: dict[str, Sequence[str]] = {
            of: [items.statements[of].names[node] for node in links.nodes]
            for of, links in items.training.links.items()
        }
        everyone = {"kind": "everyone", "id": None, "name": None, "share": 1.0}
        self._by_everyone = encoded(
            [{"recommender": why, "share": 1.0, "causes": [everyone]}] for why in EVERYONE
        )
        self._of_everyone = encoded(
            f"{self._says[why]}; nothing about the user decides it." for why in EVERYONE
        )
        to_items = [_ending([self._item(item)]) for item in range(len(self.item_ids))]
        self._to_items = pa.array(to_items, pa.string())
        self._said_before = lru_cache(_REMEMBERED)(self._say)
        # By the kinds of causes asked for; encoded once, since there may be as many as there are users.
        self._called: dict[tuple[tuple[CauseKind, str], ...], tuple[Text, np.ndarray]] = {}

    def explained(self, rows: np.ndarray, items: np.ndarray, why: np.ndarray, found: Reasons) -> Explained:
        """Why each of `items` is listed for the user in the row beside it.

        `why` is a number in EVERYONE, or len(EVERYONE) + the number of a pair in `found.main`.
        """
        of_all, main, sources = len(EVERYONE), found.main, found.sources
        sentences, ways, number = self._said(found)
        # What there is to say for each reason that there may be.
        said = np.concatenate([np.arange(of_all), of_all + number])
        first = sources.family[np.searchsorted(sources.pair, main.pair)]
        recommender = np.concatenate([np.arange(of_all), of_all + first])
        personal = np.concatenate([np.zeros(of_all, bool), main.personal])
        about_user = np.asarray([kind != "everyone" for kind, _ in found.kinds], bool)
        from_user = np.concatenate([np.zeros(of_all, bool), about_user[main.kind]])[why]
        way = np.where(from_user, len(self._to_items) + said[why] - of_all, items)
        return Explained(
            personal=personal[why],
            recommender=recommender[why],
            recommenders=(*EVERYONE, *found.families),
            reason=taken([self._of_everyone, sentences], said[why]),
            contributions=taken([self._by_everyone, self._contributions(found)], why),
            path=joined(self._beginnings(rows, from_user), taken([self._to_items, ways], way)),
        )

    def _said(self, found: Reasons) -> tuple[Text, Text, np.ndarray]:
        """Sentences, ways from users to items, and which of them each pair of `found.main` has."""
        main = found.main
        kinds = np.asarray([kind for kind, _ in found.kinds], object)[main.kind]
        names = np.asarray([*found.families, ""], object)
        worded = (kinds == "everyone") | (names[main.family] == _BY_MEANING)
        columns = (
            *(main.kind, main.place, main.item),
            np.where(worded, main.family, -1),
            np.select([kinds == "item", kinds == "user"], [main.others, main.alike], 0),
        )
        numbers: dict[tuple[int, ...], int] = {}
        number = [
            numbers.setdefault(one, len(numbers))
            for one in zip(*(column.tolist() for column in columns), strict=True)
        ]
        said = [
            self._said_before(_Main(*found.kinds[kind], place, item, names[family], count))
            for kind, place, item, family, count in numbers
        ]
        sentences, ways = zip(*said, strict=True) if said else ((), ())
        return (
            pa.array(sentences, pa.string()),
            pa.array(ways, pa.string()),
            np.asarray(number, np.int64),
        )

    def _say(self, main: _Main) -> tuple[bytes, bytes]:
        """The sentence, and the path without its beginning."""
        return orjson.dumps(self._sentence(main)), _ending(self._steps(main))

    def _sentence(self, main: _Main) -> str:
        match main.kind:
            case "item":
                return self._because_taken(main)
            case "user":
                above_all = "," if main.count == 1 else ", above all"
                others = _counted(main.count, "user with the same taste", "users with the same taste")
                return f"{others} {self._words.took_it}{above_all} {self._training.users[main.place]}."
            case "node":
                return self._because_linked(main)
            case "taste":
                return "Reads like what the user wrote."
            case "everyone":
                return f"{self._says[main.family]}."

    def _because_taken(self, main: _Main) -> str:
        if main.place == main.item:
            return f"The user {self._words.took_it} before."
        more = f" and {_counted(main.count, f'other {self._words.noun}')}" if main.count else ""
        says = "Reads like" if main.family == _BY_MEANING else "Goes with"
        return f"{says} {self._items.names[main.place]}{more} that the user {self._words.took}."

    def _because_linked(self, main: _Main) -> str:
        name = self._node_names[main.of][main.place]
        if main.of == "interest":
            return f"The user is interested in {name}."
        return f"The user took part in campaign {name}, which promotes {self._category(main.item)}."

    def _steps(self, main: _Main) -> list[PathStep]:
        """The path without the user whom it begins with, where it does."""
        end = self._item(main.item)
        match main.kind:
            case "item" if main.place == main.item:
                return [self._taken, end]
            case "item":
                like = SIMILAR_TO if main.family == _BY_MEANING else GOES_WITH
                return [self._taken, self._item(main.place), like, end]
            case "user":
                other = str(self._training.users[main.place])
                return [SIMILAR_TO, node("User", other), self._taken, end]
            case "node":
                identity = self._training.links[main.of].nodes[main.place]
                name = self._node_names[main.of][main.place]
                category = node("Category", self._category(main.item))
                steps = (
                    [INTERESTED_IN, node("Interest", identity, name), NAMES]
                    if main.of == "interest"
                    else [PARTICIPATED_IN, node("Campaign", identity, name), PROMOTES]
                )
                return [*steps, category, self._of_category, end]
            case "taste":
                return [SENT, node("Message", None), SIMILAR_TO, end]
            case "everyone":
                return [end]

    def _beginnings(self, rows: np.ndarray, from_user: np.ndarray) -> Text:
        """Of paths: the user in each row, or nothing."""
        before, after = orjson.dumps(vars(node("User", ""))).decode().split('""')
        users, number = np.unique(rows, return_inverse=True)
        starts = joined(f"[{before}", self.user_ids.take(pa.array(users)), f"{after},")
        return taken([starts, pa.array(["["])], np.where(from_user, number, len(users)))

    def _contributions(self, found: Reasons) -> Text:
        """Of each pair of `found.main`."""
        called, starts = self._causes(found.kinds)
        causes, sources = found.causes, found.sources
        which = starts[causes.kind] + np.maximum(causes.place, 0)
        told = joined("{", called.take(pa.array(which)), ',"share":', figures(causes.share), "}")
        parts = {
            "recommender": encoded(found.families).take(pa.array(sources.family)),
            "share": figures(sources.share),
            "causes": arrays(told, sources.named),
        }
        return joined(*arrays(joined(*objects(parts)), np.bincount(sources.pair)[found.main.pair]))

    def _causes(self, kinds: Kinds) -> tuple[Text, np.ndarray]:
        """How all causes of these kinds are called, and where each kind begins among them."""
        if (asked := tuple(kinds)) not in self._called:
            parts = [self._causes_of(kind, of) for kind, of in kinds]
            starts = np.cumsum([0, *map(len, parts)])
            self._called[asked] = pa.concat_arrays([pa.array([], pa.string()), *parts]), starts
        return self._called[asked]

    def _causes_of(self, kind: CauseKind, of: str) -> Text:
        nobody = encoded([None])
        match kind:
            case "item":
                called, ids, names = self._words.noun, self.item_ids, encoded(self._items.names)
            case "user":
                called, ids, names = "user", self.user_ids, "null"
            case "node":
                called, names = of, encoded(self._node_names[of])
                ids = encoded(self._training.links[of].nodes)
            case "taste":
                called, ids, names = "messages", nobody, "null"
            case "everyone":
                called, ids, names = "everyone", nobody, "null"
        return joined(*fields({"kind": orjson.dumps(called).decode(), "id": ids, "name": names}))

    def _item(self, item: int) -> PathStep:
        identity = str(self._training.items[item])
        return node(self._words.label, identity, self._items.names[item])

    def _category(self, item: int) -> str:
        known = self._training.categories
        return self._items.categories[int(known[item])] if known is not None else ""


def _ending(steps: Sequence[PathStep]) -> bytes:
    """Of a path as JSON: steps up to the last, without the bracket before them."""
    return orjson.dumps([vars(step) for step in steps])[1:]


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
