"""Items to pieces: which KPIs, dimensions, values and days a question names, and in which part they stand.

Everything that carries meaning is put in some piece or refused here. Which days that makes, and the
intent as a whole, is worked out in `parsing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from marketing_platform.analytics.kpis import Registry
from marketing_platform.analytics.kpis.question import Order
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS
from marketing_platform.analytics.questions.lexing import Item
from marketing_platform.analytics.questions.pieces import Mention, Pieces, refuse_mixed
from marketing_platform.analytics.questions.refusal import NotUnderstood

_RANKS: dict[str, Order] = {"best": "best", "worst": "worst", "highest": "highest", "lowest": "lowest"}
_OPEN = ("and", "stop", "place", "by")  # may stand between `excluding` and what is


_BETWEEN = ("the", "a", "each", "every", "our", "my", "ad")  # may stand between `by` and a dimension


def pieces_of(items: Sequence[Item], registry: Registry) -> Pieces:
    """What the items name.

    Raises:
        NotUnderstood: Something is not understood, or understood in two ways.
    """
    for item in items:
        if item.sort == "refused":
            raise NotUnderstood(item.name, item.candidates)
    unknown = [item for item in items if item.sort == "unknown"]
    if unknown:
        raise _unknown(unknown)
    return _Reader(items, registry).read()


def _unknown(unknown: Sequence[Item]) -> NotUnderstood:
    named = list(dict.fromkeys(f"“{_short(item.text)}”" for item in unknown))[:5]
    words = "these words" if len(named) > 1 else "this word"
    near = tuple(word for item in unknown for word in item.candidates)
    return NotUnderstood(f"I do not know {words}: {', '.join(named)}", near)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 -- characters shown


class _Reader:
    def __init__(self, items: Sequence[Item], registry: Registry) -> None:
        self._items, self._registry = items, registry
        self._found = Pieces()
        self._waits_by = self._waits_versus = self._count = self._mean = False
        self._by_text = ""
        self._never = self._never_named = False
        self._rank_at: int | None = None
        self._order_said = False

    def read(self) -> Pieces:
        for at, item in enumerate(self._items):
            handle = {
                "kpi": self._kpi,
                "dimension": self._dimension,
                "value": self._value,
                "absent": self._value,
                "date": self._date,
                "number": self._number,
                "word": self._word,
            }[item.sort]
            handle(at, item)
        self._finish()
        return self._found

    def _finish(self) -> None:
        refuse_mixed(self._items, self._found)
        if self._waits_by:
            raise NotUnderstood(f"“{self._by_text}” what? {self._dimensions()}")
        if self._never and not self._never_named:
            raise NotUnderstood("without what? the question leaves out something that it does not name")
        if self._waits_versus:
            raise NotUnderstood("compared with what? the question does not say")
        if self._count:
            raise NotUnderstood("how many of what? clicks, conversions and other KPIs can be counted")
        if self._mean:
            raise NotUnderstood("the average of what?")

    def _kpi(self, at: int, item: Item) -> None:
        if self._never and not self._never_named:
            raise NotUnderstood(f"“{item.text}” is a KPI and cannot be left out of one")
        self._never = False
        kpi = self._registry.kpi(item.name)
        if self._mean and kpi.denominator is None:
            raise NotUnderstood(
                f"an average of {kpi.name} is not defined; totals and ratios are",
                (f"{kpi.name} by day", kpi.name),
            )
        if self._waits_by:
            if self._found.order_by is not None and self._rank_at is not None:
                raise NotUnderstood(f"ordered by {self._found.order_by} or by {item.name}? say one")
            if self._by_text in ("by", "order", "ordered", "sorted") or self._found.order is not None:
                self._found.order_by = item.name
                self._found.order = self._found.order or "best"
                self._waits_by = False
            else:
                raise NotUnderstood(f"“{self._by_text} {item.text}”: a KPI by a KPI is not defined")
        elif self._rank_at is not None and self._found.order_by is None and self._near_rank(at):
            self._found.order_by = item.name
        self._check_before_kpi(at, item)
        self._count = self._mean = self._waits_versus = False
        self._found.repeats = self._found.repeats or item.name in self._found.metrics
        if item.name not in self._found.metrics:
            self._found.metrics.append(item.name)

    def _check_before_kpi(self, at: int, item: Item) -> None:
        """`lower CAC` wants something done; `cost of sales`, `spend over revenue` are KPIs of their own."""
        place = at - 1
        if at and self._items[place].is_word("rise", "fall", "change"):
            raise NotUnderstood(f"“{self._items[place].text} {item.text}” can be read in two ways")
        while place > 0 and self._items[place].is_word("stop"):
            place -= 1
        if place > 0 and self._items[place].is_word("place") and self._items[place - 1].sort == "kpi":
            said = " ".join(one.text for one in self._items[place - 1 : at + 1])
            raise NotUnderstood(f"“{said}” is no KPI of that name; both by themselves are")

    def _near_rank(self, at: int) -> bool:
        """`the most conversions`, `spend the most`."""
        assert self._rank_at is not None  # noqa: S101 -- asked by the caller
        between = self._items[self._rank_at + 1 : at]
        return all(one.is_word("stop") or one.sort == "number" for one in between)

    def _dimension(self, at: int, item: Item) -> None:
        if not self._waits_by and self._is_label(at, item.name):
            return
        if self._count:
            raise NotUnderstood(f"how many {item.text} there are is not a KPI", self._examples(item.name))
        if self._never and not self._never_named:
            if self._is_label(at, item.name):
                return
            raise NotUnderstood(f"which {item.text} are to be left out?")
        if self._waits_versus:
            raise NotUnderstood(f"compared with which {item.text}?")
        self._never = False
        if item.name in TIME_BUCKETS and not self._waits_by and not self._found.by:
            raise NotUnderstood(
                f"I do not know which {item.text} is meant", (f"by {item.text}", f"last {item.text}")
            )
        singular = not item.key.endswith("s")
        if self._rank_at is not None and singular and not self._waits_by and self._found.limit is None:
            self._found.limit = 1
        elif singular and not self._waits_by and self._asks_which(at):
            self._found.limit = self._found.limit or -1  # one, if it turns out to be a ranking
        self._waits_by = False
        self._add_by(item.name)

    def _asks_which(self, at: int) -> bool:
        return at > 0 and self._items[at - 1].text.casefold() in ("which", "what")

    def _is_label(self, at: int, dimension: str) -> bool:
        around = [self._items[place] for place in (at - 1, at + 1) if 0 <= place < len(self._items)]
        return any(one.sort in ("value", "absent") and one.name == dimension for one in around)

    def _value(self, at: int, item: Item) -> None:
        mention = Mention(
            item.name,
            item.values,
            item.text,
            never=self._never,
            opposed=self._waits_versus,
            absent=item.sort == "absent",
        )
        if self._count:
            raise NotUnderstood(f"how many of what in {item.text}?")
        if at and self._items[at - 1].is_word("rise", "fall", "change"):
            raise NotUnderstood(f"“{self._items[at - 1].text} {item.text}” can be read in two ways")
        if self._waits_by:
            self._waits_by = False
        if self._waits_versus and not any(one.dimension == item.name for one in self._found.mentions):
            raise NotUnderstood(f"what is compared with {item.text}?")
        self._waits_versus = False
        self._never_named = self._never_named or self._never
        self._found.mentions.append(mention)

    def _date(self, at: int, item: Item) -> None:
        del at
        assert item.date is not None  # noqa: S101 -- items of this sort have one
        if self._never and not self._never_named:
            raise NotUnderstood(f"days cannot be left out; the question leaves out {item.text}")
        self._never = False
        if self._waits_versus:
            self._found.against.append(item.date)
            self._waits_versus = False
        else:
            self._found.dates.append(item.date)

    def _number(self, at: int, item: Item) -> None:
        around = [self._items[place] for place in (at - 1, at + 1) if 0 <= place < len(self._items)]
        behind = self._items[at + 1] if at + 1 < len(self._items) else None
        ranks = any(one.is_word(*_RANKS, "ranked") for one in self._items)
        near = any(one.is_word(*_RANKS, "ranked") for one in around)
        if not (near or (ranks and behind is not None and behind.sort == "dimension")):
            raise NotUnderstood(f"I do not know what “{item.text}” counts")
        if item.number < 1:
            raise NotUnderstood(f"{item.number} lines cannot be asked for; say at least 1")
        self._found.limit = item.number

    def _word(self, at: int, item: Item) -> None:
        group = item.name
        if self._waits_by and item.key not in _BETWEEN:
            raise NotUnderstood(f"“{self._by_text}” what? {self._dimensions()}")
        if group == "never":
            self._never, self._never_named = True, False
        elif self._never and not (group in ("and", "stop") or (group in _OPEN and not self._never_named)):
            self._end_never(at, item)
        self._of_group(group, at, item)

    def _end_never(self, at: int, item: Item) -> None:
        if not self._never_named:
            raise NotUnderstood(f"without what? behind “{self._items[at - 1].text}” stands “{item.text}”")
        previous = self._items[at - 1]
        if item.name == "only" and previous.sort == "value" and self._found.mentions[-1].never:
            raise NotUnderstood(
                f"“{previous.text} {item.text}” behind what is left out can be read in two ways"
            )
        self._never = False

    def _before_what(self, at: int, item: Item) -> None:
        """`the day before 15 June` is a day of its own, not what 15 June is compared with."""
        following = self._items[at + 1] if at + 1 < len(self._items) else None
        if following is not None and following.sort == "date" and item.text.casefold().endswith("before"):
            raise NotUnderstood(f"“{item.text} {following.text}”: say those days themselves")

    def _of_group(self, group: str, at: int, item: Item) -> None:  # noqa: PLR0912 -- one line for each group
        found = self._found
        if group in ("day", "week", "month", "quarter"):
            self._add_by(group)
        elif group == "by":
            self._by(at, item)
        elif group == "ranked":
            self._rank(at, found.order or "best", said=False)
        elif group in _RANKS:
            self._rank(at, _RANKS[group], said=True)
        elif group == "versus":
            self._waits_versus = True
        elif group in (
            "previous",
            "previous_day",
            "previous_week",
            "previous_month",
            "previous_quarter",
            "year_before",
        ):
            self._before_what(at, item)
            found.before = "year_before" if group == "year_before" else "previous"
            found.before_unit = group.partition("_")[2] if group.startswith("previous_") else None  # pyright: ignore[reportAttributeAccessIssue]
            self._waits_versus = False
        elif group in ("rise", "fall"):
            found.said, found.change = group, True
        elif group in ("overview", "share", "why", "trend", "change", "compare"):
            setattr(found, group, True)
        elif group == "follow":
            found.follows = True
        elif group == "count":
            self._count = True
        elif group == "mean":
            self._mean = True
        elif group == "users":
            self._users(at, item)
        elif group == "and":
            self._and(at)
        elif group == "refused":
            raise NotUnderstood(f"I do not know these words: “{item.text}”")

    def _by(self, at: int, item: Item) -> None:
        following = next((one for one in self._items[at + 1 :] if not one.is_word("stop")), None)
        total = item.key in ("all", "across all", "across", "each", "every")
        if total and (following is None or following.sort not in ("dimension", "date")):
            return  # all clicks
        if following is not None and following.sort == "value":
            return  # clicks by Meta
        self._waits_by, self._by_text = True, item.key

    def _rank(self, at: int, order: Order, *, said: bool) -> None:
        found = self._found
        if self._order_said and found.order != order:
            raise NotUnderstood("two orders are asked for; say one")
        self._order_said = self._order_said or said
        found.order = order
        self._rank_at = at
        if found.limit == -1:
            found.limit = 1
        before = self._items[at - 1] if at else None
        if before is not None and before.is_word("stop") and at > 1:
            before = self._items[at - 2]
        if before is not None and before.sort == "kpi":
            found.order_by = found.order_by or before.name

    def _users(self, at: int, item: Item) -> None:
        before = self._items[at - 1] if at else None
        if before is None or before.sort not in ("value", "absent"):
            raise NotUnderstood(f"I do not know this word: “{item.text}”")

    def _and(self, at: int) -> None:
        if at == 0 and self._items[at].key == "and":
            self._found.follows = True
        around = [self._items[place].sort for place in (at - 1, at + 1) if 0 <= place < len(self._items)]
        if around == ["date", "date"]:
            self._found.literal_order = False
        if around == ["value", "value"] and self._items[at].key != "," and not self._never:
            one, other = self._items[at - 1], self._items[at + 1]
            if one.name != other.name:
                said = f"{one.text} {self._items[at].text} {other.text}"
                raise NotUnderstood(
                    f"“{said}” can be both at once or one or the other", (f"on {one.text} for {other.text}",)
                )

    def _add_by(self, dimension: str) -> None:
        if dimension not in self._found.by:
            self._found.by.append(dimension)

    def _dimensions(self) -> str:
        return f"there are {', '.join(self._registry.dimensions)}"

    def _examples(self, dimension: str) -> tuple[str, ...]:
        return tuple(f"{kpi.name} by {dimension}" for kpi in list(self._registry.kpis.values())[:3])
