"""The one query: values of features for pairs of an entity and a moment.

A row counts for a pair when it names the entity and its moment lies strictly before that of the pair: what
happens at the moment itself is what is to be predicted. A row without a moment never counts. That rule
stands in `_before` and nowhere else; values of now are the same query, asked at the end of the data.

Everything here is text in DuckDB's dialect over logical tables (see `stores/*_sql.py` for other engines).
Sums are added up as decimals, so that they are the same in whatever order an engine adds.
"""

# ruff: noqa: S608 -- statements are put together of names that the catalog knows; values are literals

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from marketing_platform.catalog import ColumnType, table, tables
from marketing_platform.catalog.model import BATCH_ID, ROW_ORDINAL
from marketing_platform.features.loading import moments
from marketing_platform.features.spec import Amount, Choice, Features, Rows, Scalar
from marketing_platform.recommenders.rules.filters_sql import holds_sql

# Pairs as given: nine digits of a number, the moment in 26 characters, the key. One list of texts is what
# every engine takes as a parameter.
GIVEN_PAIRS = """
SELECT CAST(substr(pair, 1, 9) AS BIGINT) AS pair, substr(pair, 36) AS entity,
  CAST(concat(substr(pair, 10, 26), '+00') AS TIMESTAMP WITH TIME ZONE) AS moment
FROM unnest(CAST($pairs AS VARCHAR[])) AS given(pair)"""


def given_pair(number: int, key: str, moment: datetime) -> str:
    """A pair as `GIVEN_PAIRS` reads it; the moment is one in UTC."""
    return f"{number:09d}{moment.replace(tzinfo=None).isoformat(' ', 'microseconds')}{key}"


def every_entity(features: Features) -> str:
    """Pairs of every entity that the release knows and the moment `$at`."""
    return (
        f"SELECT {features.key} AS pair, {features.key} AS entity,"
        f" CAST($at AS TIMESTAMP WITH TIME ZONE) AS moment FROM {features.of.name}"
    )


def values_sql(features: Features, pairs: str, *, pair: str = "pair") -> str:
    """The `pair` and a column per feature that is no vector, for the pairs of a query, in order of pair."""
    named = [f"pairs AS ({pairs})"]
    columns, joins = [f"pairs.pair AS {pair}"], list[str]()
    by_table = {name: [one for one in features.scalars if one.table == name] for name in features.reads}
    for name, of_table in by_table.items():
        together = [one for one in of_table if not _apart(one)]
        if together:
            named.append(f"of_{name} AS ({_aggregated(features.key, name, together)})")
            joins.append(f"LEFT JOIN of_{name} ON of_{name}.pair = pairs.pair")
        for one in of_table:
            if _apart(one):
                named.append(f"of_{name}_{one.name} AS ({_most_frequent(features.key, one)})")
                joins.append(f"LEFT JOIN of_{name}_{one.name} ON of_{name}_{one.name}.pair = pairs.pair")
    for one in features.scalars:
        value = f"of_{one.table}_{one.name}.{one.name}" if _apart(one) else f"of_{one.table}.{one.name}"
        columns.append(f"{_filled(one, value)} AS {one.name}")
    return (
        f"WITH {', '.join(named)}\nSELECT {', '.join(columns)}\n"
        f"FROM pairs {' '.join(joins)} ORDER BY pairs.pair"
    )


def texts_sql(features: Features, name: str, column: str, pairs: str) -> str:
    """How often each text stands in the rows of each pair: `pair`, `text`, `times`."""
    return (
        f"WITH pairs AS ({pairs}) SELECT pairs.pair AS pair, {name}.{column} AS text, COUNT(*) AS times"
        f" {_before(features.key, name)} WHERE {name}.{column} IS NOT NULL"
        f" GROUP BY pairs.pair, {name}.{column} ORDER BY pairs.pair, {name}.{column}"
    )


def unknown_sql(features: Features) -> str:
    """Numbers and keys of up to five given pairs whose key the release does not know."""
    entities = features.of.name
    return (
        f"WITH pairs AS ({GIVEN_PAIRS}) SELECT pairs.pair, pairs.entity FROM pairs"
        f" LEFT JOIN {entities} ON {entities}.{features.key} = pairs.entity"
        f" WHERE {entities}.{features.key} IS NULL ORDER BY pairs.pair LIMIT 5"
    )


def last_moment_sql(name: str) -> str:
    """`last`: the last moment of a table."""
    return f"SELECT max({moments(table(name))}) AS last FROM {name}"


# The tables whose moments say where the data ends. Releases that are gone back to may lack exposures, which
# follow from what is asked of the API, not from what users did.
TIMED = tuple(one.name for one in tables().values() if moments(one) and one.name != "exposures")


def _before(key: str, name: str) -> str:
    """The rows of a table that count for each pair."""
    at = moments(table(name))
    return f"FROM pairs JOIN {name} ON {name}.{key} = pairs.entity AND {name}.{at} < pairs.moment"


def _apart(feature: Scalar) -> bool:
    return feature.aggregate == "most_frequent"


def _aggregated(key: str, name: str, features: Sequence[Scalar]) -> str:
    columns = ", ".join(f"{_aggregate(one)} AS {one.name}" for one in features)
    others = dict.fromkeys(_other(one) for one in features if _other(one))
    joins = " ".join(_looked_up(name, other) for other in others)
    return (
        f"SELECT pairs.pair AS pair, {columns} {_before(key, name)} {joins} GROUP BY pairs.pair, pairs.moment"
    )


def _aggregate(feature: Scalar) -> str:
    at = f"{feature.table}.{moments(table(feature.table))}"
    if isinstance(feature, Rows):
        if feature.aggregate == "count":
            return f"COUNT({_counted(feature, '1')})"
        passed = f"date_diff('second', MAX({_counted(feature, at)}), pairs.moment)"
        return f"CAST({passed} AS DOUBLE) / 86400"
    value = _value(feature)
    if isinstance(feature, Amount):
        total = f"SUM({_counted(feature, value)})"
        if feature.aggregate == "sum":
            return f"CAST({total} AS {_sum_type(feature)})"
        return f"CAST({total} AS DOUBLE) / NULLIF(COUNT({_counted(feature, value)}), 0)"
    if feature.aggregate == "distinct":
        return f"COUNT(DISTINCT {_counted(feature, value)})"
    order = f"({at}, {feature.table}.{BATCH_ID}, {feature.table}.{ROW_ORDINAL})"
    return f"arg_max({value}, {order}) FILTER (WHERE {_and(f'{value} IS NOT NULL', _condition(feature))})"


def _most_frequent(key: str, feature: Scalar) -> str:
    """The value of most rows; of equally many the one of the last row, then the greatest."""
    value, name = _value(feature), feature.table
    other = _other(feature)
    return (
        f"SELECT pair, arg_max(value, (times, latest, value)) AS {feature.name} FROM ("
        f"SELECT pairs.pair AS pair, {value} AS value, COUNT(*) AS times,"
        f" MAX({name}.{moments(table(name))}) AS latest {_before(key, name)}"
        f" {_looked_up(name, other) if other else ''}"
        f" WHERE {_and(f'{value} IS NOT NULL', _condition(feature))} GROUP BY pairs.pair, {value}"
        ") AS counted GROUP BY pair"
    )


def _filled(feature: Scalar, value: str) -> str:
    """Nothing counts as zero where things are counted or added up; elsewhere there is no value."""
    filled = f"COALESCE({value}, 0)" if feature.aggregate in ("count", "distinct", "sum") else value
    return f"CAST({filled} AS {feature.type.sql})"


def _value(feature: Scalar) -> str:
    if isinstance(feature, Amount):
        factors = [feature.column, *([feature.times] if feature.times else [])]
        return " * ".join(_exact(feature.table, factor) for factor in factors)
    assert isinstance(feature, Choice)  # noqa: S101 -- rows are counted without a value
    return feature.column if _other(feature) else f"{feature.table}.{feature.column}"


def _exact(name: str, column: str) -> str:
    floating = table(name).column(column).type is ColumnType.NUMBER
    return f"CAST({name}.{column} AS DECIMAL(18, 6))" if floating else f"{name}.{column}"


def _sum_type(feature: Amount) -> str:
    return feature.type.sql if feature.type is not ColumnType.NUMBER else ColumnType.MONEY.sql


def _other(feature: Scalar) -> str:
    """The entity table that the feature looks into, if it does."""
    return feature.column.rpartition(".")[0] if isinstance(feature, Choice) else ""


def _looked_up(name: str, other: str) -> str:
    (key,) = table(other).key
    return f"LEFT JOIN {other} ON {other}.{key} = {name}.{key}"


def _counted(feature: Scalar, value: str) -> str:
    condition = _condition(feature)
    return f"CASE WHEN {condition} THEN {value} END" if condition else value


def _condition(feature: Scalar) -> str:
    name = feature.table
    parts = [
        holds_sql(f"{name}.{column}", condition, table(name).column(column).type)
        for column, condition in (feature.where or {}).items()
    ]
    if feature.days is not None:
        parts.append(f"{name}.{moments(table(name))} >= pairs.moment - INTERVAL {feature.days} DAY")
    return " AND ".join(parts)


def _and(*conditions: str) -> str:
    return " AND ".join(condition for condition in conditions if condition)
