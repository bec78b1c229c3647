"""Every landed record is valid or quarantined, whole and once."""

from __future__ import annotations

import orjson
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.gates import PROBLEMS_SCHEMA, split
from marketing_platform.stores.protocols import QUARANTINE_SCHEMA, RAW_SCHEMA

TYPING_SCHEMA = pa.schema([field for field in PROBLEMS_SCHEMA if field.name != "rule"])
ROWS_SCHEMA = pa.schema([("x", pa.string()), ("batch_id", pa.string()), ("row_ordinal", pa.int64())])

ordinals = st.integers(0, 19)
problems = st.lists(
    st.tuples(ordinals, st.sampled_from(["events", "users"]), st.sampled_from("ab"), st.sampled_from("rst"))
)


def _raw(defects: dict[int, str], first: int = 0) -> pa.Table:
    rows = [{"ordinal": first + n, "document": f'{{"n":"{n}"}}', "defect": defects.get(n)} for n in range(20)]
    return pa.Table.from_pylist(rows, schema=RAW_SCHEMA)


def _problems(found: list[tuple[int, str, str, str]], schema: pa.Schema) -> pa.Table:
    names = ("row_ordinal", "table", "column", "reason")
    rows = [dict(zip(names, problem, strict=True)) for problem in found]
    return pa.Table.from_pylist(rows, schema=schema)


def _rows(of: list[int]) -> pa.Table:
    return pa.Table.from_pylist([{"x": str(n), "row_ordinal": n} for n in of], schema=ROWS_SCHEMA)


@settings(deadline=None, max_examples=60)
@given(
    defects=st.dictionaries(ordinals, st.sampled_from(["too many columns", "unreadable json"]), max_size=5),
    typing=problems,
    rules=problems,
    events=st.lists(ordinals),
    users=st.lists(ordinals),
)
def test_nothing_is_lost_and_nothing_counts_twice(
    defects: dict[int, str],
    typing: list[tuple[int, str, str, str]],
    rules: list[tuple[int, str, str, str]],
    events: list[int],
    users: list[int],
) -> None:
    raw = _raw(defects)
    result = split(
        raw,
        {"events": _rows(events), "users": _rows(users)},
        typing_problems=_problems(typing, TYPING_SCHEMA),
        rule_problems=_problems(rules, PROBLEMS_SCHEMA),
    )
    refused = {*defects, *(problem[0] for problem in [*typing, *rules])}
    quarantined = result.quarantine["ordinal"].to_pylist()
    assert result.quarantine.schema == QUARANTINE_SCHEMA
    assert quarantined == sorted(refused)
    assert result.rows_landed == 20 == result.rows_valid + result.rows_quarantined
    assert result.tables["events"]["row_ordinal"].to_pylist() == [n for n in events if n not in refused]
    assert result.tables["users"]["row_ordinal"].to_pylist() == [n for n in users if n not in refused]
    assert result.unreadable == sum(defect.startswith("unreadable") for defect in defects.values())
    kept = dict(zip(raw["ordinal"].to_pylist(), raw["document"].to_pylist(), strict=True))
    for row in result.quarantine.to_pylist():
        reasons = orjson.loads(row["reasons"])
        assert reasons == sorted(set(reasons)) != []
        assert row["document"] == kept[row["ordinal"]]


def test_an_unreadable_cell_is_not_called_missing() -> None:
    result = split(
        _raw({}),
        {},
        typing_problems=_problems([(3, "events", "timestamp", "timestamp unreadable")], TYPING_SCHEMA),
        rule_problems=_problems(
            [
                (3, "events", "timestamp", "timestamp missing"),
                (3, "events", "user_id", "user_id missing"),
                (4, "events", "timestamp", "timestamp missing"),
            ],
            PROBLEMS_SCHEMA,
        ),
    )
    reasons = {row["ordinal"]: orjson.loads(row["reasons"]) for row in result.quarantine.to_pylist()}
    assert reasons == {3: ["timestamp unreadable", "user_id missing"], 4: ["timestamp missing"]}


def test_an_empty_chunk_is_split_into_nothing() -> None:
    empty = RAW_SCHEMA.empty_table()
    result = split(
        empty,
        {},
        typing_problems=TYPING_SCHEMA.empty_table(),
        rule_problems=PROBLEMS_SCHEMA.empty_table(),
    )
    assert (result.rows_landed, result.rows_valid, result.rows_quarantined) == (0, 0, 0)
