"""The rules that are looked at once more when an answer leaves, against facts of this minute.

A release is made once an hour or so; what ended, sold out or was hidden since must not be served
from it. Stored lists therefore hold more items than are shown. Where live facts are kept is not
decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from marketing_platform.recommenders.rules.spec import WHEN_SERVED, Exclude, Reason, Rule
from marketing_platform.releases.overrides import ItemKind, Overrides, Suppressed, suppressed

# Over before every day there is: what was ended by hand has ended.
_LONG_AGO = date.min
# Under which name a reason shows that no declared rule has.
_BY_HAND = "suppressed"


@dataclass(frozen=True)
class LiveFacts:
    """What is known now; items and users that are not named are as the release says."""

    today: date
    out_of_stock: frozenset[str] = frozenset()  # items
    ends_on: Mapping[str, date] = field(default_factory=dict)  # last day by item
    hidden: frozenset[str] = frozenset()  # items
    opted_out: frozenset[str] = frozenset()  # users
    blocked: Mapping[str, frozenset[str]] = field(default_factory=dict)  # items by user

    @classmethod
    def of(cls, given: Suppressed, today: date) -> LiveFacts:
        """What was suppressed, on that day."""
        return cls(
            today=today,
            out_of_stock=given.out_of_stock,
            ends_on=dict.fromkeys(given.ended, _LONG_AGO),
            hidden=given.hidden,
            opted_out=given.opted_out,
            blocked=given.blocked,
        )

    @classmethod
    def now(cls, overrides: Overrides, kind: ItemKind, now: datetime) -> LiveFacts:
        """What is suppressed of a kind of items at this moment, for who asks once."""
        return cls.of(suppressed(overrides.holding(now), kind, now=now), now.date())

    def touch(self, user_id: str, items: Sequence[str]) -> bool:
        """Whether anything known may concern one of these items for the user."""
        return (
            user_id in self.opted_out
            or user_id in self.blocked
            or not self.hidden.isdisjoint(items)
            or not self.out_of_stock.isdisjoint(items)
            or (bool(self.ends_on) and any(self.ends_on.get(item, self.today) < self.today for item in items))
        )


@dataclass(frozen=True)
class Leaving:
    """What of a stored list is served."""

    kept: tuple[int, ...]  # places in the stored list, in its order; at most `limit`
    dropped: Mapping[str, str]  # item -> label of the rule that keeps it back now


def rules_of_answers(rules: Sequence[Rule]) -> list[Exclude]:
    """The exclusions that are looked at when an answer leaves, by name.

    A reason that no rule declares is one all the same: what people suppress is not served.
    """
    declared = [rule for rule in rules if isinstance(rule, Exclude) and rule.leaves_when_served]
    missing = WHEN_SERVED - {rule.when for rule in declared}
    added = [Exclude(rule="exclude", name=_BY_HAND, when=reason) for reason in sorted(missing)]
    return sorted([*declared, *added], key=lambda rule: rule.name)


def leaving(
    rules: Sequence[Rule], user_id: str, items: Sequence[str], facts: LiveFacts, *, limit: int
) -> Leaving:
    """What of a user's stored `items` (ids, best first) may leave now.

    What stands behind a dropped item moves up, pins too. An item that several rules keep back is
    listed with the first of them by name.
    """
    if not facts.touch(user_id, items):
        return Leaving(tuple(range(min(limit, len(items)))), {})
    exclusions = (rule for rule in rules if isinstance(rule, Exclude) and rule.leaves_when_served)
    live = sorted(exclusions, key=lambda rule: rule.name)
    kept: list[int] = []
    dropped: dict[str, str] = {}
    for place, item in enumerate(items):
        if len(kept) == limit:
            break
        rule = next((rule for rule in live if _holds(rule.when, user_id, item, facts)), None)
        if rule is None:
            kept.append(place)
        else:
            dropped[item] = rule.label
    return Leaving(tuple(kept), dropped)


def _holds(reason: Reason | None, user_id: str, item: str, facts: LiveFacts) -> bool:
    match reason:
        case "out_of_stock":
            return item in facts.out_of_stock
        case "ended_campaign":
            ends_on = facts.ends_on.get(item)
            return ends_on is not None and ends_on < facts.today
        case "hidden":
            return item in facts.hidden
        case "opted_out":
            return user_id in facts.opted_out
        case "blocked_by_user":
            return item in facts.blocked.get(user_id, frozenset())
        case _:
            return False
