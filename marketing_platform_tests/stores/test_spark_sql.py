"""What sqlglot leaves alone is said as Spark says it; that the answers agree is shown in `test_spark.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from marketing_platform.stores.spark_sql import to_spark


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("n / 7", "CAST(`n` AS DOUBLE) / 7"),
        ("a / b / c", "CAST(CAST(`a` AS DOUBLE) / `b` AS DOUBLE) / `c`"),
        ("avg(price)", "AVG(CAST(`price` AS DOUBLE))"),
        ("date_diff('second', a, b)", "(UNIX_SECONDS(`b`) - UNIX_SECONDS(`a`))"),
        (
            "date_diff('day', CAST(a AS DATE), CAST(b AS DATE))",
            "DATEDIFF(DAY, CAST(`a` AS DATE), CAST(`b` AS DATE))",
        ),
        (
            "arg_max(v, (a, b)) FILTER (v > 0)",
            "MAX_BY(`v`, STRUCT(`a`, `b`)) FILTER(WHERE `v` > 0 AND NOT `v` IS NULL)",
        ),
        ("list_dot_product(v, v) = 0", "FORALL(`v`, `x` -> `x` = 0)"),
        (
            "CAST(a AT TIME ZONE 'Europe/Paris' AS DATE)",
            "CAST(FROM_UTC_TIMESTAMP(`a`, 'Europe/Paris') AS DATE)",
        ),
    ],
    ids=["quotient", "chain", "average", "seconds", "days", "latest", "zero vector", "time zone"],
)
def test_expressions(asked: str, said: str) -> None:
    assert to_spark(f"SELECT {asked} AS y FROM t", {}) == f"SELECT {said} AS `y` FROM `t`"


def test_rows_that_qualify_keep_their_order() -> None:
    sql = to_spark(
        "SELECT a, b FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1 ORDER BY a, b", {}
    )
    assert sql.endswith("WHERE `_w` = 1 ORDER BY `a` NULLS LAST, `b` NULLS LAST")
    assert sql.count("ORDER BY `a`") == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('it\'s \\ "x" -- ;', "'it\\'s \\\\ \"x\" -- ;'"),
        (7, "7"),
        (
            datetime(2026, 7, 1, 12, 30, 15, 250_000, tzinfo=UTC),
            "CAST('2026-07-01 12:30:15.250000+00:00' AS TIMESTAMP)",
        ),
    ],
    ids=["text", "number", "moment"],
)
def test_parameters_become_literals(value: Any, said: str) -> None:
    assert to_spark("SELECT $one AS y", {"one": value}) == f"SELECT {said} AS `y`"


def test_a_parameter_that_is_not_given_is_an_error() -> None:
    with pytest.raises(KeyError, match="one"):
        to_spark("SELECT $one AS y", {})
