"""One query per fact: sums by dimension, day and currency, for the days asked about and those compared with.

Written in DuckDB's dialect over tables of a release, values always as parameters; the warehouse translates it
for other engines. What is made of the sums is in `answering.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marketing_platform.analytics.kpis.question import Filter, Question
from marketing_platform.analytics.kpis.spec import TIME_BUCKETS, Fact, Measure

CURRENCY, DAY, EARLIER = "currency", "day", "earlier"
UNVALUED = "unvalued_conversions"
COVERAGE = "kpi_coverage"
# Lines of an account at several levels repeat the same money; of those that can answer, the first is taken.
_LEVELS = ("campaign", "account", "ad_group", "ad", "keyword", "geography", "search_term")
_MAY_LACK = ("campaign", "country", "device")
_SAYS_WHO = ("source", "platform", "account")

LEVELS_SQL = """
SELECT source, platform, account, level, MIN(day) AS first, MAX(day) AS last,
       SUM(with_campaign) AS campaign, SUM(with_country) AS country, SUM(with_device) AS device
FROM kpi_coverage WHERE fact = 'ads' GROUP BY source, platform, account, level"""
DAYS_SQL = "SELECT DISTINCT fact, day FROM kpi_coverage"


@dataclass
class Compiled:
    """A query, its tables and its parameters."""

    sql: str
    tables: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Levels:
    """Which lines of which accounts are added up, and whose lines cannot answer."""

    chosen: Mapping[str | None, Sequence[tuple[str | None, str | None]]]  # level -> platforms and accounts
    left_out: tuple[tuple[str | None, str | None], ...]
    needed: tuple[str, ...]  # what they would have to say
    shorter: tuple[
        tuple[str | None, str | None, str | None], ...
    ]  # whose other levels have days that it lacks


def levels(rows: Iterable[Mapping[str, Any]], question: Question) -> Levels:
    """For each account asked about, the level to add up; `rows` come from LEVELS_SQL.

    Of the levels that say what is asked for, those with lines of the days asked about go first.
    """
    needed = tuple(name for name in _MAY_LACK if name in question.by or name in question.filters)
    accounts: dict[tuple[str | None, str | None], list[tuple[bool, int, Mapping[str, Any]]]] = {}
    for row in rows:
        if not all(_passes(row[name], question.filters.get(name)) for name in _SAYS_WHO):
            continue
        able = accounts.setdefault((row["platform"], row["account"]), [])
        if all(row[name] for name in needed):
            able.append((not _within(row, question), _place(row["level"]), row))
    chosen: dict[str | None, list[tuple[str | None, str | None]]] = {}
    shorter: list[tuple[str | None, str | None, str | None]] = []
    for account, able in accounts.items():
        if able:
            _, _, best = min(able, key=lambda one: one[:2])
            chosen.setdefault(best["level"], []).append(account)
            if not _covered([row for _, _, row in able], best["level"], question):
                shorter.append((*account, best["level"]))
    left_out = tuple(account for account, able in accounts.items() if not able)
    return Levels(chosen, left_out, needed, tuple(shorter))


def _passes(value: str | None, asked: Filter | None) -> bool:
    return asked is None or ((not asked.only or value in asked.only) and value not in asked.never)


def _within(row: Mapping[str, Any], question: Question) -> bool:
    """Whether the lines may lie within the days asked about, or those compared with."""
    periods = [question.period, *([question.against] if question.against else [])]
    return any(row["first"] <= period.last and period.first <= row["last"] for period in periods)


def _covered(rows: Sequence[Mapping[str, Any]], level: str | None, question: Question) -> bool:
    """Whether the lines of a level reach as far into the days asked about as those of any level."""
    own = [row for row in rows if row["level"] == level]
    first, last = min(row["first"] for row in own), max(row["last"] for row in own)
    periods = [question.period, *([question.against] if question.against else [])]
    return all(
        max(row["first"], period.first) >= max(first, period.first)
        and min(row["last"], period.last) <= min(last, period.last)
        for row in rows
        for period in periods
        if row["first"] <= period.last and period.first <= row["last"]
    )


def compile_sums(
    question: Question,
    fact: Fact,
    measures: Sequence[Measure],
    valued: Iterable[str],
    chosen: Levels | None,
) -> Compiled:
    """The sums of a fact's measures; columns are dimensions, day, currency, earlier (0 or 1) and measures.

    The days compared with must not overlap with those asked about. With revenue come its unvalued
    conversions, and those of each source of `valued` as valued_0, valued_1, …
    """
    build = _Builder(question, fact)
    build.add_where("fact = $fact", fact=fact.fact)
    if chosen is not None:
        build.add_levels(chosen)
    groups = [*build.dimensions, *([DAY] if build.bucket else []), CURRENCY]
    sums: list[str] = []
    for measure in measures:
        sums.append(f"SUM({measure.measure}) AS {measure.measure}")
        if measure.measure == "revenue":
            sums.append(f"SUM({UNVALUED}) AS {UNVALUED}")
            sums += build.valued(valued)
    columns = ", ".join([*groups, f"{build.side} AS {EARLIER}", *sums])
    return build.finished(
        f"SELECT {columns} FROM {fact.table} WHERE {{where}}"  # noqa: S608 -- declared names
        f" GROUP BY {_numbers(len(groups) + 1)}"
    )


def compile_customers(question: Question, fact: Fact, measures: Sequence[Measure]) -> Compiled:
    """Customers by how often they ordered within the period, the same columns as `compile_sums`."""
    build = _Builder(question, fact)
    groups = build.dimensions
    inner = ", ".join([*groups, f"{build.side} AS {EARLIER}", "user_id", "SUM(orders) AS orders"])
    counts = [
        f"COUNT(CASE WHEN orders >= {measure.orders_at_least} THEN 1 END) AS {measure.measure}"
        for measure in measures
    ]
    outer = ", ".join([*groups, "CAST(NULL AS VARCHAR) AS currency", EARLIER, *counts])
    kept = ", ".join([*groups, EARLIER])
    return build.finished(
        f"SELECT {outer} FROM (SELECT {inner} FROM {fact.table} WHERE {{where}}"  # noqa: S608 -- the same
        f" GROUP BY {_numbers(len(groups) + 2)}) AS customers GROUP BY {kept}"
    )


class _Builder:
    """Conditions and parameters of one query; names in it are declared, values are bound."""

    def __init__(self, question: Question, fact: Fact) -> None:
        self._fact = fact
        self._where: list[str] = []
        self._parameters: dict[str, Any] = {}
        self.dimensions = [name for name in question.by if name not in TIME_BUCKETS]
        self.bucket = next((name for name in question.by if name in TIME_BUCKETS), None)
        days = f"{DAY} BETWEEN $first AND $last"
        self._parameters.update(first=question.period.first, last=question.period.last)
        self.side = "0"
        if question.against is not None:
            self._parameters.update(first_before=question.against.first, last_before=question.against.last)
            self.side = f"CASE WHEN {days} THEN 0 ELSE 1 END"
            days = f"({days} OR {DAY} BETWEEN $first_before AND $last_before)"
        self._where.append(days)
        for dimension, asked in question.filters.items():
            if asked.only:
                self._where.append(f"{dimension} IN ({self._bound(f'only_{dimension}', asked.only)})")
            if asked.never:
                never = self._bound(f"never_{dimension}", asked.never)
                self._where.append(f"({dimension} IS NULL OR {dimension} NOT IN ({never}))")

    def add_where(self, condition: str, **parameters: Any) -> None:
        self._where.append(condition)
        self._parameters.update(parameters)

    def add_levels(self, levels: Levels) -> None:
        """Only the lines of the chosen levels; accounts are named where it differs between them."""
        alike = len(levels.chosen) == 1 and not levels.left_out
        parts = [
            self._level(number, level, [] if alike else accounts)
            for number, (level, accounts) in enumerate(levels.chosen.items())
        ]
        self._where.append(f"({' OR '.join(parts)})" if parts else "FALSE")

    def valued(self, sources: Iterable[str]) -> list[str]:
        """Unvalued conversions of each source that has a declared value, as `valued_0`, `valued_1`, …"""
        columns: list[str] = []
        for number, source in enumerate(sources):
            self._parameters[f"valued_{number}"] = source
            columns.append(f"SUM(CASE WHEN source = $valued_{number} THEN {UNVALUED} END) AS valued_{number}")
        return columns

    def finished(self, sql: str) -> Compiled:
        """The query with `{where}` filled in."""
        return Compiled(sql.format(where=" AND ".join(self._where)), (self._fact.table,), self._parameters)

    def _level(
        self, number: int, level: str | None, accounts: Sequence[tuple[str | None, str | None]]
    ) -> str:
        condition = "level IS NULL"
        if level is not None:
            self._parameters[f"level_{number}"] = level
            condition = f"level = $level_{number}"
        named = [
            f"{self._equals('platform', f'platform_{number}_{place}', platform)}"
            f" AND {self._equals('account', f'account_{number}_{place}', account)}"
            for place, (platform, account) in enumerate(accounts)
        ]
        return f"({condition} AND ({' OR '.join(named)}))" if named else condition

    def _equals(self, column: str, name: str, value: str | None) -> str:
        if value is None:
            return f"{column} IS NULL"
        self._parameters[name] = value
        return f"{column} = ${name}"

    def _bound(self, name: str, values: Sequence[str]) -> str:
        names = [f"{name}_{number}" for number in range(len(values))]
        self._parameters.update(zip(names, values, strict=True))
        return ", ".join(f"${one}" for one in names)


def _place(level: str | None) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def _numbers(count: int) -> str:
    return ", ".join(str(number) for number in range(1, count + 1))
