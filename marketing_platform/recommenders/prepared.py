"""A prepared answer as it is stored: the items of a list one by one, with spares behind those shown.

What may leave is decided when an answer leaves (`rules/answering.py`). So a list is stored as lines: one
with what that decision needs to know, then one per item, ready as JSON. Most answers leave without
any item being read. Answers that are one JSON document are read too: releases before this form have
them. How an item looks is in `answers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from marketing_platform.recommenders.json_columns import Text, arrays, joined, objects, runs, taken

# Stored beyond what is shown, to move up for what is dropped when the answer leaves.
SPARES = 5
# The answers of a release with the list of products of each user.
PRODUCT_LISTS = "product_recommendations"
# Key of the list of all users among the answers of users, whose ids are not empty.
EVERYONE = ""
_IDS = ("product_id", "campaign_id", "user_id")


@dataclass(frozen=True)
class StoredList:
    """A list as it was stored, best first."""

    head: Mapping[str, Any]  # the fields of the answer before its items
    shown: int  # how many of the items leave when nothing is asked for; the rest are spares
    ids: Sequence[str]
    categories: Sequence[str | None]  # of the items; empty when the list does not say
    text: bytes  # the items, each a JSON object on a line of its own

    @cached_property
    def items(self) -> Sequence[bytes]:
        """The items one by one; most answers leave without that."""
        return self.text.split(b"\n") if self.text else []

    @classmethod
    def read(cls, stored: bytes) -> StoredList:
        """What was stored, in either form."""
        first, _, text = stored.partition(b"\n")
        told = orjson.loads(first)
        if "items" not in told:
            return cls(told["head"], told["shown"], told["ids"], told["categories"], text)
        of_document = told.pop("items")
        ids = [item[key] for item in of_document for key in _IDS if key in item]
        return cls(told, len(ids), ids, (), b"\n".join(orjson.dumps(item) for item in of_document))

    def answer(
        self,
        places: Sequence[int],
        dropped: Mapping[str, str] | None = None,
        *,
        brief: bool = False,
        also: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The answer with the items at these places, as JSON.

        Args:
            places: Of the items, in the order in which they leave.
            dropped: What a rule kept back as the answer left, and the label of the rule.
            brief: Leave contributions and paths empty.
            also: Fields besides those of the head.
        """
        if brief:
            items = b",".join(_brief(self.items[place]) for place in places)
        elif list(places) == list(range(len(places))):
            items = self._first(len(places))
        else:
            items = b",".join([self.items[place] for place in places])
        held_back = [{"item_id": item, "rule": rule} for item, rule in (dropped or {}).items()]
        told = orjson.dumps({**self.head, **(also or {}), "dropped": held_back})
        return b'%s,"items":[%s]}' % (told[:-1], items)

    def _first(self, number: int) -> bytes:
        """The first items, separated by commas; to look for ends of lines costs a third of splitting."""
        if not number:
            return b""
        end = -1
        for _ in range(number):
            end = self.text.find(b"\n", end + 1)
        return (self.text if end < 0 else self.text[:end]).replace(b"\n", b",")


def stored_lists(
    head: Mapping[str, Text], *, shown: int, ids: Text, categories: Text, items: Text, sizes: np.ndarray
) -> pa.BinaryArray:
    """Lists of many users in the form in which spares can stand behind what is shown.

    Args:
        head: By name the fields of each answer before its items, as JSON.
        shown: How many items of a list are shown.
        ids: Of the items of all lists, one list after the other, as JSON.
        categories: Of the same.
        items: The same as JSON objects.
        sizes: How many items each list has.
    """
    told = {
        "head": objects(head),
        "shown": str(shown),
        "ids": arrays(ids, sizes),
        "categories": arrays(categories, sizes),
    }
    # JSON writes the end of a line within a text as \n, so that lines end where items do.
    ends = taken([pa.array(["", "\n"])], (sizes > 0).astype(np.int64))
    return joined(objects(told), ends, runs(items, sizes, "\n")).cast(pa.binary())


def _brief(item: bytes) -> bytes:
    return orjson.dumps({**orjson.loads(item), "contributions": [], "path": []})
