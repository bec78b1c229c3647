"""What people decided since the last release: suppressions, kept as records beside it.

A suppression takes an item or a user out of recommendations at once, wherever answers leave, and is
looked at again when the next release is made. Declared rules are in `recommenders/rules`, which say
what a reason means; who may suppress is the API's business.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, LiteralString, get_args

from marketing_platform.errors import InputError, UnknownSuppression
from marketing_platform.stores.records import Execute, RecordsDatabase, Tables

# `change` counts up with every writing transaction, which excludes all others: who knows the changes
# up to one number misses nothing by asking for those after it.
OVERRIDE_TABLES: Tables = {
    "suppressions": """
CREATE TABLE IF NOT EXISTS suppressions (
    suppression_id TEXT PRIMARY KEY, change BIGINT NOT NULL UNIQUE, kind TEXT, item_id TEXT, user_id TEXT,
    reason TEXT NOT NULL, why TEXT NOT NULL, who TEXT NOT NULL, created_at TEXT NOT NULL, until TEXT,
    lifted_at TEXT, lifted_by TEXT)""",
}

ItemKind = Literal["product", "campaign"]
Reason = Literal["hidden", "out_of_stock", "ended", "opted_out", "blocked"]
# What a suppression names, by its reason: an item, a user, or both.
_NAMES: Mapping[Reason, tuple[bool, bool]] = {
    "hidden": (True, False),
    "out_of_stock": (True, False),
    "ended": (True, False),
    "opted_out": (False, True),
    "blocked": (True, True),
}
_COLUMNS: LiteralString = """
SELECT suppression_id, kind, item_id, user_id, reason, why, who, created_at, until, lifted_at, lifted_by
FROM suppressions"""


@dataclass(frozen=True)
class Wish:
    """What is to be taken out, and why.

    Raises:
        InputError: The reason asks for an item or a user that is missing, or for none that is there.
    """

    reason: Reason
    kind: ItemKind | None = None  # of the item
    item_id: str | None = None
    user_id: str | None = None
    why: str = ""
    until: datetime | None = None  # ends by itself then

    def __post_init__(self) -> None:
        of_item, of_user = _NAMES[self.reason]
        problems = [
            f"{name} {'is missing' if wanted else 'has no place'}"
            for name, given, wanted in (
                ("kind", self.kind, of_item),
                ("item_id", self.item_id, of_item),
                ("user_id", self.user_id, of_user),
            )
            if (given is not None) != wanted
        ]
        if problems:
            raise InputError(f"a suppression because of {self.reason!r}: {', '.join(problems)}")


@dataclass(frozen=True)
class Suppression:
    """A wish that was granted; it holds until it is lifted or its time is over."""

    suppression_id: str
    wish: Wish
    who: str
    created_at: datetime
    lifted_at: datetime | None = None
    lifted_by: str | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it keeps anything out at this moment."""
        return self.lifted_at is None and (self.wish.until is None or now < self.wish.until)


@dataclass(frozen=True)
class Suppressed:
    """What suppressions take out at one moment, of one kind of items."""

    hidden: frozenset[str] = frozenset()  # items
    out_of_stock: frozenset[str] = frozenset()  # items
    ended: frozenset[str] = frozenset()  # items
    opted_out: frozenset[str] = frozenset()  # users, of every kind of items
    blocked: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])  # by user


class Overrides:
    """Suppressions in a database that has OVERRIDE_TABLES; safe for many processes and threads at once."""

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    def suppress(self, wish: Wish, *, who: str, now: datetime) -> tuple[Suppression, bool]:
        """Take out what is wished, and whether that is new: the same wish is granted once while it holds."""
        with self._database.writing() as execute:
            same = _select(
                execute,
                f"{_COLUMNS} WHERE lifted_at IS NULL AND reason = $1 AND coalesce(item_id, '') = $2"
                " AND coalesce(user_id, '') = $3",
                wish.reason,
                wish.item_id or "",
                wish.user_id or "",
            )
            if there := next((one for one in same if one.wish == wish and one.holds(now)), None):
                return there, False
            made = Suppression(f"s-{secrets.token_hex(8)}", wish, who, now)
            execute(
                "INSERT INTO suppressions (suppression_id, change, kind, item_id, user_id, reason, why, who,"
                " created_at, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                made.suppression_id,
                _next_change(execute),
                wish.kind,
                wish.item_id,
                wish.user_id,
                wish.reason,
                wish.why,
                who,
                now.isoformat(),
                wish.until.astimezone(UTC).isoformat() if wish.until else None,
            )
            return made, True

    def lift(self, suppression_id: str, *, who: str, now: datetime) -> Suppression:
        """Let the item or user be shown again; UnknownSuppression when none of that id is held.

        Lifting what is lifted changes nothing.
        """
        with self._database.writing() as execute:
            execute(
                "UPDATE suppressions SET change = $1, lifted_at = $2, lifted_by = $3"
                " WHERE suppression_id = $4 AND lifted_at IS NULL",
                _next_change(execute),
                now.isoformat(),
                who,
                suppression_id,
            )
            found = _select(execute, f"{_COLUMNS} WHERE suppression_id = $1", suppression_id)
        if not found:
            raise UnknownSuppression(f"no suppression {suppression_id[:100]!r}; list them to see their ids")
        return found[0]

    def holding(self, now: datetime) -> list[Suppression]:
        """Those that hold at `now`, oldest first."""
        with self._database.reading() as execute:
            found = _select(execute, f"{_COLUMNS} WHERE lifted_at IS NULL ORDER BY created_at, change")
        return [one for one in found if one.holds(now)]

    def changes(self, after: int) -> tuple[list[Suppression], int]:
        """What was suppressed or lifted after the change of that number, and the number of the last one."""
        with self._database.reading() as execute:
            found = _select(execute, f"{_COLUMNS} WHERE change > $1 ORDER BY change", after)
            last = execute("SELECT coalesce(max(change), 0) FROM suppressions")[0][0]
        return found, last


def suppressed(suppressions: Iterable[Suppression], kind: ItemKind, *, now: datetime) -> Suppressed:
    """What these suppressions take out of recommendations of one kind."""
    holding = [one.wish for one in suppressions if one.holds(now)]
    items: dict[Reason, set[str]] = {reason: set() for reason in get_args(Reason)}
    opted_out: set[str] = set()
    blocked: dict[str, set[str]] = {}
    for wish in holding:
        if wish.item_id is None:
            opted_out.add(wish.user_id or "")
        elif wish.kind == kind and wish.user_id is None:
            items[wish.reason].add(wish.item_id)
        elif wish.kind == kind and wish.user_id is not None:
            blocked.setdefault(wish.user_id, set()).add(wish.item_id)
    return Suppressed(
        hidden=frozenset(items["hidden"]),
        out_of_stock=frozenset(items["out_of_stock"]),
        ended=frozenset(items["ended"]),
        opted_out=frozenset(opted_out),
        blocked={user: frozenset(of_user) for user, of_user in blocked.items()},
    )


def _next_change(execute: Execute) -> int:
    return execute("SELECT coalesce(max(change), 0) + 1 FROM suppressions")[0][0]


def _select(execute: Execute, sql: LiteralString, *values: object) -> list[Suppression]:
    return [
        Suppression(
            suppression_id=row[0],
            wish=Wish(
                kind=row[1], item_id=row[2], user_id=row[3], reason=row[4], why=row[5], until=_moment(row[8])
            ),
            who=row[6],
            created_at=datetime.fromisoformat(row[7]),
            lifted_at=_moment(row[9]),
            lifted_by=row[10],
        )
        for row in execute(sql, *values)
    ]


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
