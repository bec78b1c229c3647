"""What sqlglot leaves alone is said as BigQuery says it; that the answers agree is shown on servers."""

from __future__ import annotations

import pytest

from marketing_platform.stores.bigquery_sql import to_bigquery


def test_a_median_is_the_mean_of_the_middle_of_an_array() -> None:
    body = to_bigquery("SELECT median(x) AS m FROM t").body
    assert body.count("ARRAY_AGG(`x` ORDER BY `x` IS NULL ASC, `x` ASC)") == 2
    assert body.endswith("/ 2 AS `m` FROM `t`")


def test_arg_max_leaves_out_nulls_and_what_the_filter_refuses() -> None:
    body = to_bigquery("SELECT arg_max(v, (a, b)) FILTER (v > 0) AS v FROM t").body
    wanted = "IF(`v` > 0, `v`, NULL)"
    assert f"ARRAY_AGG({wanted} ORDER BY {wanted} IS NULL ASC, `a` DESC, `b` DESC LIMIT 1)" in body


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("split_part(a, '@', -1)", "ARRAY_REVERSE(SPLIT(`a`, '@'))[SAFE_OFFSET(0)]"),
        ("split_part(a, '@', 2)", "COALESCE(SPLIT(`a`, '@')[SAFE_OFFSET(1)], IF(`a` IS NULL, NULL, ''))"),
        ("a || ':' || n", "CAST(`a` AS STRING) || ':' || CAST(`n` AS STRING)"),
        (
            "date_diff('second', a, b)",
            "TIMESTAMP_DIFF(TIMESTAMP_TRUNC(`b`, SECOND), TIMESTAMP_TRUNC(`a`, SECOND), SECOND)",
        ),
        ("date_diff('day', a, b)", "DATE_DIFF(`b`, `a`, DAY)"),
        ("parts[$name]", "(SELECT `e`.`value` FROM UNNEST(`parts`) AS `e` WHERE `e`.`key` = @name)"),
    ],
)
def test_expressions(asked: str, said: str) -> None:
    assert (
        to_bigquery(f"SELECT {asked} AS x FROM t", frozenset({"parts"})).body
        == f"SELECT {said} AS `x` FROM `t`"
    )


def test_parameters_keep_their_names_in_order() -> None:
    translated = to_bigquery("SELECT a FROM t WHERE b = $two AND c = $one LIMIT $two")
    assert translated.parameters == ("two", "one")


def test_tables_are_bound_before_what_the_query_names_itself() -> None:
    translated = to_bigquery("WITH a AS (SELECT 1 AS x) SELECT x FROM a")
    assert translated.bound_to(["`t` AS (SELECT 2)"]).startswith("WITH `t` AS (SELECT 2), `a` AS (SELECT 1")
