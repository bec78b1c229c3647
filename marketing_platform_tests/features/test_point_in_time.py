"""Nothing from after a moment is in the values of that moment, and what was before is all there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing_platform.errors import InputError
from marketing_platform.features import queries
from marketing_platform.features.asking import Ask, end_of_data
from marketing_platform.features.loading import load_features
from marketing_platform.features.spec import ENTITIES, Entity
from marketing_platform.features.training import training_set
from marketing_platform.settings import PROJECT_DIR
from marketing_platform_tests.tables import rows_of

DECLARED = load_features(PROJECT_DIR / "features")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def days(number: float) -> timedelta:
    return timedelta(days=number)


def event(ago: float, **more: Any) -> dict[str, Any]:
    common = {"user_id": "u", "campaign_id": "c", "event_type": "view", "channel": "app"}
    return {**common, "timestamp": NOW - days(ago), **more}


def purchase(ago: float, **more: Any) -> dict[str, Any]:
    common = {"user_id": "u", "product_id": "p", "order_id": f"o{ago}", "quantity": 1, "unit_price": 10}
    return {**common, "timestamp": NOW - days(ago), **more}


def ask_of(rows: Rows) -> Ask:
    """Questions to tables in memory with these rows, few entities, two texts with vectors."""
    known = {
        "users": [{"user_id": "u", "country": "GB"}, {"user_id": "v, ü", "country": "FR"}],
        "campaigns": [{"campaign_id": "c"}],
        "products": [{"product_id": "p", "category": "Camping"}, {"product_id": "q", "category": "Pets"}],
    }
    names = ("events", "purchases", "interests", "feedback")
    tables = {name: rows_of(name, rows.get(name, known.get(name, []))) for name in (*names, *known)}
    vectors = pa.array([[1.0, 0.0], [0.0, 1.0]], pa.list_(pa.float32(), 2))
    tables["text_embeddings"] = pa.table({"text": ["one", "other"], "text_embedding": vectors})
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in tables.items():
        connection.register(name, table)

    def ask(sql: str, names: Sequence[str], parameters: Mapping[str, Any]) -> pa.Table:
        return connection.sql(sql, params=dict(parameters)).to_arrow_table()

    return ask


def pairs(key: str, *asked: tuple[str, datetime]) -> pa.Table:
    return pa.table(
        {
            key: pa.array([one for one, _ in asked], pa.string()),
            "at": pa.array([at for _, at in asked], pa.timestamp("us", tz="UTC")),
        }
    )


def values(ask: Ask, entity: Entity = "user", key: str = "u", at: datetime = NOW) -> dict[str, Any]:
    """What one entity was like at a moment."""
    declared = DECLARED[entity]
    (row,) = training_set(ask, declared, pairs(declared.key, (key, at))).to_pylist()
    assert (row.pop(declared.key), row.pop("at")) == (key, at)
    return row


LATER = {"events": [event(-10, user_id="v, ü", campaign_id=None)]}  # so that NOW lies within the data
HISTORY = {
    "events": [
        event(1, event_type="click", channel="email"),
        event(2, event_type="click", channel="email"),
        event(3, event_type="open", channel="web"),
        event(3.5, event_type="open", channel="web"),
        event(40, event_type="message", message="one"),
        event(45, event_type="convert"),
        *LATER["events"],
    ],
    "purchases": [
        purchase(5, unit_price=20, satisfaction=4, country="GB"),
        purchase(6, product_id="q", order_id="o5", satisfaction=5),
        purchase(7, product_id="q", quantity=-1, order_id="back"),
        purchase(100, quantity=3, country="FR"),
    ],
    "interests": [
        {"user_id": "u", "interest": "Tents", "timestamp": NOW - days(3)},
        {"user_id": "u", "interest": "Boats", "timestamp": NOW - days(30)},
        {"user_id": "u", "interest": "no moment", "timestamp": None},
    ],
}


def test_values_by_hand() -> None:
    ask = ask_of(HISTORY)
    assert values(ask) == {
        "events": 6,
        "events_30_days": 4,
        "messages": 1,
        "clicks_30_days": 2,
        "conversions": 1,
        "campaigns": 1,
        "days_since_event": 1.0,
        "preferred_channel": "email",  # as often as web, and later
        "orders": 2,
        "orders_90_days": 1,
        "spend": 20 + 10 - 10 + 30,
        "spend_90_days": 20,
        "days_since_purchase": 5.0,
        "preferred_category": "Camping",  # of p and q, of which p was bought last
        "mean_satisfaction": 4.5,
        "interests": 2,  # a statement without a moment was made nobody knows when
        "last_interest": "Tents",
        "message_centroid": [1.0, 0.0],
    }
    assert values(ask, "campaign", "c") == {
        "events": 6,
        "events_7_days": 4,
        "users": 1,
        "clicks": 2,
        "conversions": 1,
        "days_since_event": 1.0,
        "main_channel": "email",
        "main_country": "GB",
    }
    assert values(ask, "product", "q")["returns"] == 1
    assert values(ask, "product", "p")["last_price"] == 20
    assert values(ask, "product", "p")["main_country"] == "GB"


def test_of_nothing_nothing_is_known() -> None:
    found = values(ask_of(HISTORY), at=NOW - days(1000))
    counted = {feature.name for feature in DECLARED["user"].declared if feature.aggregate in _COUNTED}
    assert {name for name, value in found.items() if value == 0} == counted
    assert {value for name, value in found.items() if name not in counted} == {None}


_COUNTED = ("count", "distinct", "sum")
# Would change every feature of the user, the campaign and the product.
LEAK: Rows = {
    "events": [
        *(event(-1 - n / 10, event_type="click", channel="leak", campaign_id="c") for n in range(9)),
        event(-1, event_type="message", message="other", channel="leak", campaign_id="d"),
        event(-1, event_type="convert", channel="leak"),
        *(event(-1, user_id="v, ü", campaign_id="c", channel="leak") for _ in range(20)),
    ],
    "purchases": [
        *(purchase(-1 - n, product_id="q", satisfaction=1, country="XX") for n in range(9)),
        purchase(-1, quantity=5, unit_price=10_000, satisfaction=1, country="XX"),
        purchase(-1.5, quantity=5, unit_price=5_000, user_id="v, ü", country="XX"),
        purchase(-2, quantity=-2, country="XX"),
    ],
    "interests": [{"user_id": "u", "interest": "Leak", "timestamp": NOW + days(1)}],
}
OF = {"user": "u", "campaign": "c", "product": "p"}


def with_leak(*more: Rows) -> Rows:
    return {name: [row for rows in (HISTORY, LEAK, *more) for row in rows.get(name, [])] for name in HISTORY}


def test_a_leak_from_the_future_cannot_enter() -> None:
    clean, leaky = (ask_of(rows) for rows in (HISTORY, with_leak()))
    for entity in ENTITIES:
        assert values(leaky, entity, OF[entity]) == values(clean, entity, OF[entity])


def test_without_the_filter_the_leak_would_have_entered_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: for each feature the planted rows make a difference."""
    ask = ask_of(with_leak())
    right = {entity: values(ask, entity, OF[entity]) for entity in ENTITIES}

    def careless(key: str, name: str) -> str:
        return f"FROM pairs JOIN {name} ON {name}.{key} = pairs.entity"

    monkeypatch.setattr(queries, "_before", careless)
    for entity in ENTITIES:
        wrong = values(ask, entity, OF[entity])
        assert [name for name, value in wrong.items() if value == right[entity][name]] == []


def test_what_happens_at_the_moment_itself_is_not_known_yet() -> None:
    ask = ask_of({"events": [event(0), *LATER["events"]]})
    assert values(ask)["events"] == 0
    assert values(ask, at=NOW + timedelta(microseconds=1))["events"] == 1


def test_a_window_begins_exactly_so_many_days_ago() -> None:
    edge = timedelta(microseconds=1)
    ask = ask_of({"events": [event(30), *LATER["events"]]})
    assert values(ask)["events_30_days"] == 1
    assert values(ask, at=NOW + edge)["events_30_days"] == 0


def test_now_is_the_end_of_the_data_and_everything_is_before_it() -> None:
    last = NOW + timedelta(microseconds=999_999)
    ask = ask_of({"events": [event(0, timestamp=last)]})
    assert end_of_data(ask) == NOW + timedelta(seconds=1)
    assert values(ask, at=end_of_data(ask))["events"] == 1
    whole = ask_of({"events": [event(0)]})
    assert end_of_data(whole) == NOW + timedelta(seconds=1)


def test_without_data_now_is_1970() -> None:
    ask = ask_of({})
    assert end_of_data(ask) == datetime(1970, 1, 1, tzinfo=UTC)
    assert values(ask, at=end_of_data(ask))["events"] == 0


MOMENTS = st.integers(-50, 50).map(lambda hours: NOW + timedelta(hours=hours))
EVENTS = st.builds(
    dict,
    user_id=st.sampled_from(["u", "v, ü"]),
    campaign_id=st.sampled_from(["c", None]),
    timestamp=MOMENTS,
    event_type=st.sampled_from(["click", "view", "message"]),
    channel=st.sampled_from(["app", "web", None]),
    message=st.sampled_from(["one", "other", None]),
)
PURCHASES = st.builds(
    dict,
    user_id=st.sampled_from(["u", "v, ü", None]),
    product_id=st.sampled_from(["p", "q"]),
    timestamp=MOMENTS,
    order_id=st.sampled_from(["1", "2"]),
    quantity=st.integers(-2, 3),
    unit_price=st.integers(0, 9),
    satisfaction=st.sampled_from([None, 1, 5]),
)


@pytest.mark.slow
@given(st.lists(EVENTS, max_size=12), st.lists(PURCHASES, max_size=12), MOMENTS)
@settings(max_examples=15, deadline=None)
def test_values_are_those_of_data_that_ends_there(
    events: list[Any], purchases: list[Any], at: datetime
) -> None:
    """Of each entity at each moment: as if the files had stopped coming then."""
    after = [event(-1000, user_id=None, campaign_id=None)]  # lets any moment be asked about
    whole: Rows = {"events": [*events, *after], "purchases": purchases}
    ended: Rows = {
        "events": [row for row in events if row["timestamp"] < at] + after,
        "purchases": [row for row in purchases if row["timestamp"] < at],
    }
    one, other = ask_of(whole), ask_of(ended)
    for entity, keys in (("user", ["u", "v, ü"]), ("campaign", ["c"]), ("product", ["p", "q"])):
        declared = DECLARED[entity]
        asked = pairs(declared.key, *((key, at) for key in keys))
        assert training_set(one, declared, asked) == training_set(other, declared, asked)


def test_pairs_come_back_in_their_order_with_what_stands_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketing_platform.features.training._CHUNK", 2)
    ask = ask_of(HISTORY)
    asked = [("u", NOW), ("v, ü", NOW), ("u", NOW - days(4)), ("u", NOW), ("u", NOW - days(41))]
    given = pairs("user_id", *asked).append_column("label", pa.array([5, 4, 3, 2, 1]))
    found = training_set(ask, DECLARED["user"], given, ["message_centroid", "events"])
    assert found.column_names == ["user_id", "at", "label", "message_centroid", "events"]
    assert found.select(["user_id", "at", "label"]) == given
    assert found["events"].to_pylist() == [6, 0, 2, 6, 1]
    one = [1.0, 0.0]
    assert found["message_centroid"].to_pylist() == [one, None, one, one, None]


@pytest.mark.parametrize(
    ("asked", "features", "said"),
    [
        ([("nobody", NOW)], None, "knows no user 'nobody'"),
        ([("u", NOW), ("", NOW)], None, "row 2: user_id is ''"),
        ([("u", None)], None, "row 1: at is empty"),
        ([("u", NOW + days(11))], None, "row 1: at is 2026-06-12T12:00:00+00:00, but the data"),
        ([], None, "no pairs"),
        ([("u", NOW)], ["spnd"], "no feature 'spnd' of a user; there are: events,"),
    ],
)
def test_what_cannot_be_answered(asked: list[Any], features: list[str] | None, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        training_set(ask_of(HISTORY), DECLARED["user"], pairs("user_id", *asked), features)


def test_columns_that_do_not_fit() -> None:
    ask, good = ask_of(HISTORY), pairs("user_id", ("u", NOW))
    for bad, said in (
        (good.drop_columns(["at"]), "no column at; there are: user_id"),
        (good.append_column("spend", good["at"]), "spend is called as a feature"),
        (good.set_column(1, "at", pa.array(["now"])), "at holds string; give timestamps"),
    ):
        with pytest.raises(InputError, match=said):
            training_set(ask, DECLARED["user"], bad)


def test_a_moment_without_a_zone_is_utc() -> None:
    ask = ask_of(HISTORY)
    given = pairs("user_id", ("u", NOW))
    naive = given.set_column(1, "at", given["at"].cast(pa.timestamp("us")))
    found = training_set(ask, DECLARED["user"], naive)
    assert found["events"].to_pylist() == [6]
