"""Table rules and batch rules: a verdict per rule about one row of figures.

What follows from a verdict (a failed check, a held batch, a refused release) is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from marketing_platform.gates.engine import Judge, Outcome
from marketing_platform.gates.sieve import left_over
from marketing_platform.gates.suites import Rule, Suites

_PASSED = Outcome(passed=True, failing=(), error=None)


@dataclass(frozen=True)
class Verdict:
    """What one rule says, in words that can be shown as they are."""

    rule: str
    passed: bool
    reason: str  # why it did not pass; empty when it did
    observed: str
    expected: str
    description: str


@dataclass(frozen=True)
class DeclaredCheck:
    """An asset check that must have run and passed before a release."""

    asset: str
    check: str
    rule: str
    blocking: bool


def declared_checks(suites: Suites) -> tuple[DeclaredCheck, ...]:
    """The checks that table rules declare, on the asset of the table, and those of measured figures."""
    of_tables = (
        DeclaredCheck(asset=rule.table, check=rule.rule, rule=rule.rule, blocking=True)
        for rule in suites.rules
        if rule.level == "table"
    )
    of_figures = (
        DeclaredCheck(asset=measure.asset, check=measure.check, rule=measure.check, blocking=measure.blocking)
        for measure in suites.measures
    )
    return (*of_tables, *of_figures)


def judge_table(suites: Suites, table_name: str, profile: Mapping[str, Any]) -> list[Verdict]:
    """One verdict per table rule of `table_name` about its profile (`profile_sql`)."""
    return _judge(suites.table_rules(table_name), profile)


def judge_batch(suites: Suites, profile: Mapping[str, Any]) -> list[Verdict]:
    """One verdict per batch rule about a batch's profile (`batch_profile`)."""
    return _judge(suites.batch_rules(), profile)


def _judge(rules: Iterable[Rule], profile: Mapping[str, Any]) -> list[Verdict]:
    """Raises ExpectationError unless every rule gets its verdict; one that cannot be evaluated fails."""
    rules = tuple(rules)
    named = dict.fromkeys(column for rule in rules for column in rule.columns)
    # A figure that the profile lacks stays away: the rule then fails as one that cannot be evaluated.
    figures = {column: [_number(profile[column])] for column in named if column in profile}
    doubtful = [rule for rule in rules if _doubtful(rule, pa.table(figures))]
    outcomes = _outcomes(doubtful, figures) if doubtful else {}
    return [_verdict(rule, outcomes.get(rule.rule, _PASSED), profile) for rule in rules]


def _doubtful(rule: Rule, figures: pa.Table) -> bool:
    left = left_over([rule], figures, {}) if figures.num_rows else None
    return left is None or bool(left[0].as_py())


def _outcomes(rules: Iterable[Rule], figures: Mapping[str, list[Any]]) -> dict[str, Outcome]:
    import pandas as pd

    return Judge(rules).outcomes(pd.DataFrame(figures, index=pd.RangeIndex(1)), {})


def _number(value: Any) -> Any:
    """As pandas compares it; what is no number stays as it is, for the rule to stumble over."""
    if value is None:
        return float("nan")
    return float(value) if isinstance(value, int | float | Decimal) else value


def _verdict(rule: Rule, outcome: Outcome, profile: Mapping[str, Any]) -> Verdict:
    reason = rule.reason
    if outcome.passed:
        reason = ""
    elif outcome.error:
        reason = f"{rule.reason}? The rule could not be evaluated: {outcome.error}"
    observed = ", ".join(f"{column} = {_shown(profile.get(column))}" for column in rule.columns)
    return Verdict(rule.rule, outcome.passed, reason, observed, _expected(rule), rule.description)


def _expected(rule: Rule) -> str:
    match rule.kwargs:
        case {"column": column, "min_value": low, "max_value": high}:
            return f"{column} between {_shown(low)} and {_shown(high)}"
        case {"column": column, "min_value": low}:
            return f"{column} {'above' if rule.kwargs.get('strict_min') else 'at least'} {_shown(low)}"
        case {"column": column, "max_value": high}:
            return f"{column} {'below' if rule.kwargs.get('strict_max') else 'at most'} {_shown(high)}"
        case {"column_A": larger, "column_B": smaller, "or_equal": True}:
            return f"{larger} at least {smaller}"
        case _:
            return f"{rule.type} {dict(rule.kwargs)}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case float():
            return f"{value:,.6g}" if abs(value) < 1 else f"{value:,.2f}".removesuffix(".00")
        case int():
            return f"{value:,}"
        case _:
            return str(value)
