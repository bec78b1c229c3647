"""Criteria as one query with bound parameters, over the tables of a release (DuckDB's dialect).

A condition on something unknown does not hold, and neither does its absence: every condition is true or
false of every user, so that `none` means what it says. See `stores/*_sql.py` for other engines.
"""

# ruff: noqa: S608 -- statements are put together of names that the catalog knows; values are parameters

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from marketing_platform.catalog import Column, ColumnType
from marketing_platform.content.segments.spec import (
    BOUGHT,
    OF_ROWS,
    OF_USER,
    READS,
    Bought,
    Criteria,
    Segment,
    columns_bought,
    columns_of,
)
from marketing_platform.features.spec import Features
from marketing_platform.recommenders.rules.spec import Condition, Filter

MEMBERS = "segment_members"
# The users of one `$segment` in order of id, as the release has them.
MEMBERS_SQL = f"SELECT user_id FROM {MEMBERS} WHERE segment = $segment ORDER BY user_id"


@dataclass(frozen=True)
class Query:
    """SQL that gives `user_id`, its parameters, and the tables that it reads."""

    sql: str
    parameters: Mapping[str, Any]
    tables: Sequence[str]


def members_query(who: Criteria, features: Features, at: datetime, *, prefix: str = "value") -> Query:
    """The users for whom the criteria hold.

    Args:
        who: Names and values fit (`loading.unfit`).
        features: What is declared of users.
        at: What days count back from: the end of the data.
        prefix: How parameters begin.
    """
    made = _Made(features, at, prefix)
    holds = made.criteria(who)
    joined = " ".join(
        f"LEFT JOIN {name} ON {name}.user_id = users.user_id"
        for name in OF_USER.values()
        if name != "users" and name in made.tables
    )
    tables = [name for name in READS if name in {"users", *made.tables}]
    return Query(f"SELECT users.user_id FROM users {joined} WHERE {holds}", made.parameters, tables)


def segments_query(segments: Sequence[Segment], features: Features, at: datetime) -> Query:
    """`segment` and `user_id` of all members of these segments."""
    parts = [
        (one, members_query(one.who, features, at, prefix=f"of{number}_"))
        for number, one in enumerate(segments)
    ]
    union = " UNION ALL ".join(
        f"SELECT '{one.name}' AS segment, members.user_id FROM ({part.sql}) AS members" for one, part in parts
    )
    nobody = "SELECT users.user_id AS segment, users.user_id FROM users WHERE FALSE"
    parameters = {name: value for _, part in parts for name, value in part.parameters.items()}
    return Query(union or nobody, parameters, READS)


def count_sql(query: Query) -> str:
    """How many `users` a query gives, and how many of them agreed to marketing (`consenting`)."""
    return (
        "SELECT COUNT(*) AS users, COUNT(CASE WHEN users.marketing_consent THEN 1 END) AS consenting"
        f" FROM ({query.sql}) AS members JOIN users ON users.user_id = members.user_id"
    )


def counts_sql(query: Query) -> str:
    """The same for each `segment` of `segments_query` that has any."""
    return (
        "SELECT members.segment, COUNT(*) AS users,"
        " COUNT(CASE WHEN users.marketing_consent THEN 1 END) AS consenting"
        f" FROM ({query.sql}) AS members JOIN users ON users.user_id = members.user_id"
        " GROUP BY members.segment"
    )


def sample_sql(query: Query) -> str:
    """The first `$most` of them by id."""
    return f"SELECT members.user_id FROM ({query.sql}) AS members ORDER BY members.user_id LIMIT $most"


@dataclass
class _Made:
    """Conditions made so far: their parameters, and the tables that they look into."""

    features: Features
    at: datetime
    prefix: str
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    tables: set[str] = field(default_factory=set[str])

    def criteria(self, who: Criteria) -> str:
        parts: list[str] = []
        for key, group in who.groups.items():
            inner = [self.criteria(part) for part in group]
            together = f"({(' AND ' if key == 'all' else ' OR ').join(inner)})"
            parts.append(f"NOT {together}" if key == "none" else together)
        for key, name in OF_USER.items():
            if conditions := getattr(who, key):
                self.tables.add(name)
                holds = self._filter(name, columns_of(key, self.features), conditions)
                parts.append(f"COALESCE({holds}, FALSE)")
        for key, name in OF_ROWS.items():
            if conditions := getattr(who, key):
                self.tables.add(name)
                holds = self._filter(name, columns_of(key, self.features), conditions)
                parts.append(_among(f"SELECT {name}.user_id FROM {name} WHERE {_known(name)} AND {holds}"))
        if who.bought is not None:
            parts.append(self._bought(who.bought))
        return f"({' AND '.join(parts)})"

    def _bought(self, bought: Bought) -> str:
        self.tables.update(BOUGHT)
        holds = ["purchases.quantity > 0", _known("purchases")]
        if bought.days is not None:
            since = self._value(self.at - timedelta(days=bought.days))
            holds.append(f"purchases.timestamp >= {since} AND purchases.timestamp < {self._value(self.at)}")
        if bought.where:
            columns = columns_bought()
            holds += [
                self._condition(name if "." in name else f"purchases.{name}", columns[name].type, condition)
                for name, condition in bought.where.items()
            ]
        return _among(
            "SELECT purchases.user_id FROM purchases"
            " LEFT JOIN products ON products.product_id = purchases.product_id"
            f" WHERE {' AND '.join(holds)} GROUP BY purchases.user_id"
            f" HAVING COUNT(DISTINCT COALESCE(purchases.order_id, purchases.purchase_id)) >= {bought.orders}"
        )

    def _filter(self, name: str, columns: Mapping[str, Column], conditions: Filter) -> str:
        return " AND ".join(
            self._condition(f"{name}.{column}", columns[column].type, condition)
            for column, condition in conditions.items()
        )

    def _condition(self, value: str, kind: ColumnType, condition: Condition) -> str:
        parts: list[str] = []
        for keyword, given in (("IN", condition.one_of), ("NOT IN", condition.none_of)):
            if given is not None:
                values = ", ".join(self._value(_bound(one, kind)) for one in given)
                parts.append(f"{value} {keyword} ({values})")
        for operator, limit in ((">=", condition.at_least), ("<=", condition.at_most)):
            if limit is not None:
                parts.append(f"{value} {operator} {self._value(_bound(limit, kind))}")
        return f"({' AND '.join(parts)})"

    def _value(self, value: Any) -> str:
        name = f"{self.prefix}{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"


def _among(users: str) -> str:
    return f"users.user_id IN ({users})"


def _known(name: str) -> str:
    """What IN needs in order to be true or false."""
    return f"{name}.user_id IS NOT NULL"


def _bound(value: Any, kind: ColumnType) -> Any:
    """A value as it is compared with a column: money as a decimal, a day of moments as its midnight, UTC."""
    if kind is ColumnType.MONEY:
        return round(Decimal(str(value)), 9)  # no engine's decimals have fewer, and money has six
    if kind is ColumnType.NUMBER:
        return float(value)
    if kind is ColumnType.TIMESTAMP and isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if kind is ColumnType.DATE and isinstance(value, datetime):
        return value.date()
    return value
