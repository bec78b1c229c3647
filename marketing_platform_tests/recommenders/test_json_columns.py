"""Columns of JSON text are what orjson writes of each row, whatever names and figures there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.recommenders.answers import ItemCause, ItemContribution
from marketing_platform.recommenders.json_columns import (
    arrays,
    encoded,
    figures,
    flags,
    joined,
    objects,
    runs,
    taken,
)
from marketing_platform.recommenders.prepared import StoredList, stored_lists

# Whatever UTF-8 can say: quotes, ends of lines, NUL, separators of JavaScript, astral planes.
texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', "\\", "\n", "\x00", "\u2028", '"],"x":[{', "\U0001f600", "\\u0000", "</script>", ""]
)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e300, max_value=1e300)
rows = st.lists(st.tuples(texts, st.none() | texts, numbers, st.booleans()), max_size=8)


def parsed(column: Any) -> list[Any]:
    return [orjson.loads(text) for text in column.to_pylist()]


@given(rows)
def test_objects_are_what_a_model_says_of_the_same_values(given_rows: list[Any]) -> None:
    kinds = np.arange(len(given_rows)) % 2
    causes = objects(
        {
            "kind": encoded(["product", "user"]).take(kinds),
            "id": encoded(row[0] for row in given_rows),
            "name": encoded(row[1] for row in given_rows),
            "share": figures(np.asarray([row[2] for row in given_rows], np.float64)),
        }
    )
    expected = [
        ItemCause(kind=("product", "user")[kind], id=row[0], name=row[1], share=row[2])
        for kind, row in zip(kinds, given_rows, strict=True)
    ]
    written = [ItemCause.model_validate_json(text) for text in joined(*causes).to_pylist()]
    assert [one.model_copy(update={"share": 0.0}) for one in written] == [
        one.model_copy(update={"share": 0.0}) for one in expected
    ]
    for one, other in zip(written, expected, strict=True):
        assert np.isclose(one.share, other.share, rtol=1e-12, atol=1.1e-6)


@given(st.lists(numbers))
def test_figures_are_json_of_the_rounded_number(values: list[float]) -> None:
    given_values = np.asarray(values, np.float64)
    assert parsed(figures(given_values)) == np.round(given_values, 6).tolist()


def test_figures_at_the_ends_of_what_is_shown() -> None:
    values = np.array([0.0, -0.0, 1.0, 1e-6, 4e-7, 0.1 + 0.2, 1e15, 1e16, 2.5e22, 123456.123456789])
    assert parsed(figures(values)) == [0, 0, 1, 1e-6, 0, 0.3, 1e15, 1e16, 2.5e22, 123456.123457]
    assert parsed(figures(np.array([0.1, 3.3], np.float32))) == [0.1, 3.3]
    assert parsed(flags(np.array([True, False]))) == [True, False]


@given(st.lists(st.lists(texts, max_size=4), max_size=5))
def test_arrays_and_runs_divide_elements_as_they_come(lists: list[list[str]]) -> None:
    elements = encoded(text for one in lists for text in one)
    sizes = np.asarray([len(one) for one in lists], np.int64)
    assert parsed(joined(*arrays(elements, sizes))) == lists
    lines = runs(elements, sizes, "\n").to_pylist()
    assert [[orjson.loads(line) for line in text.split("\n")] if text else [] for text in lines] == lists


def test_parts_may_hold_parts_and_the_same_text_for_every_row() -> None:
    inner = objects({"a": encoded([1, 2]), "b": "null"})
    nested = objects({"inner": inner, "list": arrays(encoded(["x", "y"]), np.array([2, 0]))})
    assert parsed(joined(*nested)) == [
        {"inner": {"a": 1, "b": None}, "list": ["x", "y"]},
        {"inner": {"a": 2, "b": None}, "list": []},
    ]
    assert taken([encoded(["a"]), encoded(["b", "c"])], np.array([2, 0])).to_pylist() == ['"c"', '"a"']


@given(st.lists(st.tuples(texts, st.lists(st.tuples(texts, texts), max_size=3)), max_size=4))
def test_a_stored_list_is_read_as_it_was_written(lists: list[tuple[str, list[tuple[str, str]]]]) -> None:
    items = [item for _, listed in lists for item in listed]
    ids = encoded(identity for identity, _ in items)
    written = stored_lists(
        {"user_id": encoded(user for user, _ in lists), "strategy": '"hybrid"'},
        shown=2,
        ids=ids,
        categories=encoded(None for _ in items),
        items=joined(*objects({"product_id": ids, "name": encoded(name for _, name in items)})),
        sizes=np.asarray([len(listed) for _, listed in lists], np.int64),
    )
    for (user, listed), stored in zip(lists, written.to_pylist(), strict=True):
        read = StoredList.read(stored)
        assert (read.head, read.shown) == ({"user_id": user, "strategy": "hybrid"}, 2)
        assert (read.ids, read.categories) == ([one for one, _ in listed], [None] * len(listed))
        assert [orjson.loads(item) for item in read.items] == [
            {"product_id": identity, "name": name} for identity, name in listed
        ]


def test_a_contribution_holds_its_causes() -> None:
    causes = joined(
        *objects(
            {"kind": '"user"', "id": encoded(["a", "b"]), "name": "null", "share": figures(np.ones(2) / 3)}
        )
    )
    parts = {"recommender": '"ease"', "share": figures(np.ones(1)), "causes": arrays(causes, np.array([2]))}
    (text,) = joined(*objects(parts)).to_pylist()
    found = ItemContribution.model_validate_json(text)
    assert [(cause.id, cause.share) for cause in found.causes] == [("a", 0.333333), ("b", 0.333333)]
