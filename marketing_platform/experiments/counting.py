"""Who was exposed to which arm first, and what they did then: queries over the tables of a release.

All text is in DuckDB's dialect over logical tables. A user whose exposures name two arms of one experiment
is in no comparison; the first arm is kept for them all the same (`assigning.py`).
"""

# ruff: noqa: S608 -- statements are put together of names that the catalog knows; values are literals

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from marketing_platform.catalog import ColumnType, table
from marketing_platform.catalog.model import BATCH_ID, ROW_ORDINAL
from marketing_platform.experiments.spec import Declarations, Experiment, Metric
from marketing_platform.recommenders.rules.filters_sql import holds_sql, literal_sql

EXPOSURES = "exposures"
# What is counted besides metrics, under names that no metric can have.
USERS, MIXED = "(users)", "(in two arms)"


def tables_read(declared: Declarations) -> tuple[str, ...]:
    """The tables that the queries need."""
    return tuple(dict.fromkeys([EXPOSURES, *(metric.table for metric in declared.metrics.values())]))


def first_arms_sql(declared: Declarations) -> str:
    """`experiment`, `user_id`, `arm`, `first_at` of first exposures; `arms`: 1, or 2 for who was in several.

    Only exposures within the experiment's days count, and only to arms that it has.
    """
    valid = [_valid(one) for one in declared.experiments]
    condition = " OR ".join(f"({one})" for one in valid) or "FALSE"
    order = f"{EXPOSURES}.timestamp, {EXPOSURES}.{BATCH_ID}, {EXPOSURES}.{ROW_ORDINAL}"
    of_user = f"OVER (PARTITION BY {EXPOSURES}.experiment, {EXPOSURES}.user_id"
    return (
        "SELECT experiment, user_id, variant AS arm, timestamp AS first_at,"
        " CASE WHEN low = high THEN 1 ELSE 2 END AS arms FROM ("
        f"SELECT {EXPOSURES}.experiment, {EXPOSURES}.user_id, {EXPOSURES}.variant, {EXPOSURES}.timestamp,"
        f" ROW_NUMBER() {of_user} ORDER BY {order}) AS place,"
        f" MIN({EXPOSURES}.variant) {of_user}) AS low, MAX({EXPOSURES}.variant) {of_user}) AS high"
        f" FROM {EXPOSURES} WHERE {condition}) AS numbered WHERE place = 1"
    )


def counts_sql(declared: Declarations) -> str:
    """`experiment`, `arm`, `day` (UTC), `counted`, `users`: who was new on each day.

    `counted` is USERS (first exposed on the day), MIXED (of those, the ones seen in two arms, left out of all
    else) or a metric (who did it on the day for the first time since their exposure).
    """
    parts = [
        f"SELECT experiment, arm, CAST(first_at AS DATE) AS day, '{USERS}' AS counted, COUNT(*) AS users"
        " FROM firsts WHERE arms = 1 GROUP BY experiment, arm, CAST(first_at AS DATE)",
        f"SELECT experiment, arm, CAST(first_at AS DATE) AS day, '{MIXED}' AS counted, COUNT(*) AS users"
        " FROM firsts WHERE arms > 1 GROUP BY experiment, arm, CAST(first_at AS DATE)",
        *(
            _converted(one, declared.metrics[name])
            for one in declared.experiments
            for name in metrics_of(one)
        ),
    ]
    every = " UNION ALL ".join(parts)
    return (
        f"WITH firsts AS ({first_arms_sql(declared)})\n"
        f"SELECT experiment, arm, day, counted, users FROM ({every}) AS counts"
        " ORDER BY experiment, arm, day, counted"
    )


def metrics_of(experiment: Experiment) -> Iterable[str]:
    """What an experiment is judged by: its metric, then its guardrails, each once."""
    return dict.fromkeys([experiment.metric, *(one.metric for one in experiment.guardrails)])


def _converted(experiment: Experiment, metric: Metric) -> str:
    rows, source = metric.table, table(metric.table)
    conditions = [
        f"firsts.experiment = {_text(experiment.name)}",
        "firsts.arms = 1",
        f"{rows}.{source.time} >= firsts.first_at",
        f"{rows}.{source.time} < firsts.first_at + INTERVAL {experiment.within_days} DAY",
        *(
            holds_sql(f"{rows}.{name}", condition, source.column(name).type)
            for name, condition in (metric.where or {}).items()
        ),
    ]
    first_time = (
        f"SELECT firsts.experiment AS experiment, firsts.arm AS arm, firsts.user_id AS user_id,"
        f" MIN({rows}.{source.time}) AS first_at FROM firsts JOIN {rows} ON {rows}.user_id = firsts.user_id"
        f" WHERE {' AND '.join(conditions)} GROUP BY firsts.experiment, firsts.arm, firsts.user_id"
    )
    return (
        f"SELECT experiment, arm, CAST(first_at AS DATE) AS day, {_text(metric.metric)} AS counted,"
        f" COUNT(*) AS users FROM ({first_time}) AS done GROUP BY experiment, arm, CAST(first_at AS DATE)"
    )


def _valid(experiment: Experiment) -> str:
    moment = ColumnType.TIMESTAMP
    conditions = [
        f"{EXPOSURES}.experiment = {_text(experiment.name)}",
        f"{EXPOSURES}.variant IN ({', '.join(_text(arm.arm) for arm in experiment.arms)})",
        f"{EXPOSURES}.timestamp >= {literal_sql(experiment.starts, moment)}",
    ]
    if experiment.ends is not None:
        after = literal_sql(experiment.ends + timedelta(days=1), moment)
        conditions.append(f"{EXPOSURES}.timestamp < {after}")
    return " AND ".join(conditions)


def _text(value: str) -> str:
    return literal_sql(value, ColumnType.STRING)
