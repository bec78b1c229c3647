"""What the API takes is what the gates accept, and lines land as what was written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from marketing_platform import catalog
from marketing_platform.gates import RowGate, load_suites
from marketing_platform.ingestion.validation import sift
from marketing_platform.ingestion.written import (
    BulkDocument,
    Envelope,
    Feedback,
    FeedbackEvent,
    Interest,
    Product,
    Profile,
    Purchase,
    UserData,
    feedback_records,
    user_data_records,
)
from marketing_platform.settings import PROJECT_DIR
from marketing_platform.sources import load_sources, match_source, read_rows

NOW = datetime.now(UTC)

identifiers = st.text(min_size=1, max_size=40).filter(
    lambda text: (bool(text.strip()) and "\0" not in text and text.isprintable()) or text in {"ü", "a b"}
)
labels = st.text(min_size=1, max_size=60)
moments = st.datetimes(datetime(2000, 1, 2), datetime(2026, 1, 1), timezones=st.just(UTC)).map(
    datetime.isoformat
)
money = st.decimals(0, 10**11, places=6).map(str) | st.floats(0, 1e9).map(lambda value: round(value, 2))
currencies = st.sampled_from(["EUR", "USD", "JPY"])
documents = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.fixed_dictionaries(
            {"name": labels},
            optional={
                "email": st.sampled_from(["a@b.c", "ä.ö@example.com", " x@y.z "]),
                "language": st.sampled_from(["de", "pt-BR", "zh-Hant-TW"]),
                "signed_up_on": st.dates(date(2000, 1, 2), date(2026, 1, 1)).map(date.isoformat),
                "marketing_consent": st.booleans(),
                "country": labels,
            },
        ),
        "purchases": st.lists(
            st.fixed_dictionaries(
                {
                    "product_id": identifiers,
                    "timestamp": moments,
                    "quantity": st.integers(-1_000_000, 1_000_000).filter(bool),
                    "unit_price": money,
                    "currency": currencies,
                },
                optional={"satisfaction": st.integers(1, 5), "order_id": identifiers, "country": labels},
            ),
            max_size=4,
        ),
        "interests": st.lists(
            st.fixed_dictionaries({"interest": identifiers, "strength": st.floats(0, 1) | st.integers(0, 1)}),
            max_size=4,
            unique_by=lambda stated: stated["interest"],
        ),
        "products": st.lists(
            st.fixed_dictionaries(
                {"product_id": identifiers, "price": money, "currency": currencies},
                optional={"name": labels, "description": labels, "in_stock": st.booleans()},
            ),
            max_size=4,
            unique_by=lambda product: product["product_id"],
        ),
    },
)
events = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["impression", "click", "conversion", "dismissal"]),
        "item_kind": st.sampled_from(["product", "campaign", "content"]),
        "item_id": identifiers,
    },
    optional={
        "timestamp": moments,
        "release_id": labels,
        "variant": labels,
        "position": st.integers(1, 100_000),
        "channel": st.sampled_from(["email", "app", "web", "sms", "ad"]),
    },
)


@pytest.fixture(scope="module")
def gate() -> RowGate:
    return RowGate(load_suites(PROJECT_DIR / "expectations"), now=NOW)


def sifted(name: str, lines: list[bytes], gate: RowGate) -> Any:
    """What becomes of lines that landed under a name, by the project's own sources and suites."""
    spec = match_source(load_sources(PROJECT_DIR / "sources"), name)
    assert spec is not None
    (raw,) = read_rows(BytesIO(b"".join(lines)), spec, chunk_rows=100_000, max_cell_bytes=1 << 20)
    parted, _ = sift(raw, f"{name}@0123456789ab", spec, gate)
    return parted


def envelope(kind: Any = "user-data") -> Envelope:
    return Envelope("4f2a9c0d11c87b50e6319a02", kind, NOW, "k_shop")


def valid(kind: type[Any], documents: list[Any]) -> Iterator[Any]:
    for document in documents:
        try:
            yield kind.model_validate_json(orjson.dumps(document))
        except ValidationError:  # a text of blanks, or nothing in it: the API says so, and nothing lands
            continue


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(written=st.lists(st.tuples(identifiers, documents), min_size=20, max_size=40))
def test_no_gate_refuses_what_the_api_takes(gate: RowGate, written: list[tuple[str, Any]]) -> None:
    lines: list[bytes] = []
    for user, document in written:
        for data in valid(UserData, [document]):
            lines += envelope().lines(user_data_records(user, data, NOW))
    if lines:
        found = sifted("api/user-data/x.ndjson", lines, gate)
        assert found.quarantine.to_pylist() == []
        assert sum(table.num_rows for table in found.tables.values()) == len(lines)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=st.lists(events, min_size=20, max_size=60))
def test_no_gate_refuses_feedback(gate: RowGate, told: list[Any]) -> None:
    accepted = list(valid(FeedbackEvent, told))
    if not accepted:
        return
    lines = envelope("feedback").lines(feedback_records("u-1", Feedback(events=tuple(accepted)), NOW))
    found = sifted("api/feedback/x.ndjson", lines, gate)
    assert found.quarantine.to_pylist() == []
    assert found.tables["feedback"].num_rows == len(accepted)
    of_campaigns = [e for e in accepted if e.item_kind == "campaign" and e.action != "dismissal"]
    assert found.tables["events"].num_rows == len(of_campaigns)


def test_fields_are_columns_of_the_catalog() -> None:
    for model, table in (
        (Profile, "users"),
        (Purchase, "purchases"),
        (Interest, "interests"),
        (Product, "products"),
        (FeedbackEvent, "feedback"),
    ):
        assert set(model.model_fields) <= set(catalog.table(table).column_names), table


def test_values_arrive_as_they_were_written(gate: RowGate) -> None:
    data = UserData.model_validate_json(
        b'{"purchases":[{"product_id":" p ","timestamp":"2026-01-01T10:00:00+02:00","quantity":-2,'
        b'"unit_price":"0.10","currency":"EUR"}],"interests":[{"interest":"Tea","strength":1}]}'
    )
    found = sifted(
        "api/user-data/x.ndjson", envelope().lines(user_data_records("u/1", data, NOW)), gate
    ).tables
    (purchase,) = found["purchases"].to_pylist()
    assert (str(purchase["unit_price"]), purchase["quantity"]) == ("0.100000", -2)
    assert purchase["timestamp"] == datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert (purchase["user_id"], purchase["product_id"]) == ("u/1", "p")
    (interest,) = found["interests"].to_pylist()
    assert interest["timestamp"] == NOW.replace(microsecond=NOW.microsecond)
    assert found["users"].num_rows == found["products"].num_rows == 0


PURCHASE = {
    "product_id": "p",
    "timestamp": "2026-01-01T00:00:00Z",
    "quantity": 1,
    "unit_price": 1,
    "currency": "EUR",
}
TOMORROW = (NOW + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"purchases": []},
        {"profile": {}},
        {"profile": {"name": " "}},
        {"profile": {"nome": "Ada"}},
        {"profile": {"email": "nobody"}},
        {"profile": {"language": "deutsch (Schweiz)"}},
        {"profile": {"marketing_consent": "yes"}},
        {"purchases": [PURCHASE | {"currency": "EUX"}]},
        {"purchases": [PURCHASE | {"currency": "eur"}]},
        {"purchases": [PURCHASE | {"quantity": 0}]},
        {"purchases": [PURCHASE | {"quantity": 1.5}]},
        {"purchases": [PURCHASE | {"quantity": True}]},
        {"purchases": [PURCHASE | {"unit_price": -1}]},
        {"purchases": [PURCHASE | {"unit_price": "NaN"}]},
        {"purchases": [PURCHASE | {"unit_price": "1e30"}]},
        {"purchases": [PURCHASE | {"unit_price": "0.0000001"}]},
        {"purchases": [PURCHASE | {"timestamp": "2026-01-01T00:00:00"}]},
        {"purchases": [PURCHASE | {"timestamp": "1999-01-01T00:00:00Z"}]},
        {"purchases": [PURCHASE | {"timestamp": "TOMORROW"}]},
        {"purchases": [PURCHASE | {"product_id": "p\0"}]},
        {"purchases": [PURCHASE | {"product_id": "x" * 257}]},
        {"purchases": [PURCHASE | {"purchase_id": "1"}, PURCHASE | {"purchase_id": "1"}]},
        {"purchases": [PURCHASE] * 1001},
        {"interests": [{"interest": "Tea", "strength": 1.1}]},
        {"interests": [{"interest": "Tea", "strength": 1}, {"interest": "Tea", "strength": 0}]},
        {"products": [{"product_id": "p", "price": "1"}]},
        {"products": [{"product_id": "p"}, {"product_id": "p"}]},
    ],
    ids=lambda document: str(document)[:80],
)
def test_what_the_api_refuses(document: dict[str, Any]) -> None:
    content = orjson.dumps(document).replace(b"TOMORROW", TOMORROW.encode())
    with pytest.raises(ValidationError):
        UserData.model_validate_json(content)


def test_a_bulk_line_says_whose_it_is_unless_it_is_about_products() -> None:
    BulkDocument.model_validate({"products": [{"product_id": "p"}]})
    with pytest.raises(ValidationError, match="user_id is needed"):
        BulkDocument.model_validate({"profile": {"name": "Ada"}})


def test_the_example_of_a_path_is_a_source(tmp_path: Path) -> None:
    sources = load_sources(PROJECT_DIR / "sources")
    for name, source in (
        ("api/user-data/1.ndjson", "api_user_data"),
        ("api/bulk/1.ndjson", "api_user_data"),
        ("stream/user-data/id/0/0.ndjson", "api_user_data"),
        ("api/feedback/1.ndjson", "api_feedback"),
    ):
        found = match_source(sources, name)
        assert found is not None
        assert found.source == source
