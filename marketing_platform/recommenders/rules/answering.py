"""The rules that are looked at once more when an answer leaves, against facts of this minute.

A release is made once an hour or so; what ended, sold out or was hidden since must not be served
from it. Answers therefore hold more items than are shown. Where live facts are kept is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from marketing_platform.recommenders.rules.spec import Rule


@dataclass(frozen=True)
class LiveFacts:
    """What is known now; items and users that are not named are as the release says."""

    today: date
    out_of_stock: frozenset[str] = frozenset()  # items
    ends_on: Mapping[str, date] = field(default_factory=dict)  # last day by item
    hidden: frozenset[str] = frozenset()  # items
    opted_out: frozenset[str] = frozenset()  # users
    blocked: Mapping[str, frozenset[str]] = field(default_factory=dict)  # items by user


@dataclass(frozen=True)
class Leaving:
    """What of a stored list is served."""

    kept: tuple[int, ...]  # places in the stored list, in its order; at most `limit`
    dropped: Mapping[str, str]  # item -> label of the rule that keeps it back now


def leaving(
    rules: Sequence[Rule], user_id: str, items: Sequence[str], facts: LiveFacts, *, limit: int
) -> Leaving:
    """What of a user's stored `items` (ids, best first) may leave now."""
    raise NotImplementedError
