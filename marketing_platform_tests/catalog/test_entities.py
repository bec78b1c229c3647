"""Folding landed rows of an entity: the latest value that is known wins, nobody is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing_platform.catalog import table
from marketing_platform.catalog.entities import entity_sql
from marketing_platform.stores.protocols import Select, TableRef
from marketing_platform_tests.tables import rows_of, stored

USERS = table("users")


def fold(
    folder: Path, batches: list[list[dict[str, Any]]], seen: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    landed = [rows_of("users", rows, batch=f"b{number}@{number}") for number, rows in enumerate(batches)]
    empty = rows_of("users", [])
    tables = {
        "users": pa.concat_tables([empty, *landed]),
        "admitted_batches": pa.table(
            {
                "batch_id": [f"b{n}@{n}" for n in range(len(batches))],
                "sequence": pa.array(range(len(batches)), pa.int64()),
            }
        ),
        "events": rows_of("events", [{"user_id": user} for user in seen]),
        "purchases": rows_of("purchases", [{"user_id": None}]),
        "interests": rows_of("interests", []),
        "feedback": rows_of("feedback", []),
    }
    warehouse, refs = stored(folder, tables)
    landed_ref = TableRef("landed", refs["users"].parts, refs["users"].schema)
    found = warehouse.query(
        Select(entity_sql(USERS), [landed_ref, *(refs[n] for n in tables if n != "users")])
    )
    assert found.column_names == list(USERS.column_names)
    return {row["user_id"]: row for row in found.to_pylist()}


def test_later_values_win_and_gaps_keep_what_was_known(tmp_path: Path) -> None:
    found = fold(
        tmp_path,
        [
            [{"user_id": "ann", "name": "Ann", "country": "FR"}, {"user_id": "ann", "name": "Anne"}],
            [{"user_id": "ann", "country": "DE"}],
        ],
    )
    assert (found["ann"]["name"], found["ann"]["country"]) == ("Anne", "DE")


def test_who_only_acted_is_known_by_id(tmp_path: Path) -> None:
    found = fold(tmp_path, [[{"user_id": "ann", "name": "Ann"}]], seen=["zoe", "ann", "zoe"])
    assert list(found) == ["ann", "zoe"]
    assert found["zoe"]["name"] is None


values = st.one_of(st.none(), st.sampled_from(["FR", "DE", "PT"]))
rows = st.fixed_dictionaries({"user_id": st.sampled_from(["ann", "bob"]), "country": values})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(rows, max_size=4), min_size=1, max_size=3))
def test_it_is_the_last_known_value_in_order_of_landing(
    tmp_path: Path, batches: list[list[dict[str, Any]]]
) -> None:
    expected: dict[str, str | None] = {}
    for row in (row for batch in batches for row in batch):
        known = expected.setdefault(row["user_id"], None)
        expected[row["user_id"]] = row["country"] or known
    assert {user: row["country"] for user, row in fold(tmp_path, batches).items()} == expected
