"""What every store of enriched documents does; each implementation adds a factory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.errors import UnknownName
from marketing_platform.stores.enriched_parquet import ParquetEnrichedDocuments
from marketing_platform.stores.protocols import EnrichedDocuments
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared

START = datetime(2026, 7, 1, 12, 0, 0, 123_456, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("row_ordinal", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("user_id", pa.string()),
        ("campaign_id", pa.string()),
        ("message", pa.string()),
        ("engagement_weight", pa.float64()),
    ]
)


def parquet(folder: Path) -> EnrichedDocuments:
    return ParquetEnrichedDocuments(folder / "enriched")


def mongo(_folder: Path) -> EnrichedDocuments:
    from marketing_platform.stores.enriched_mongo import MongoEnrichedDocuments
    from marketing_platform_tests.servers import mongo as server

    return MongoEnrichedDocuments(server.settings(shared(server.running)))


@pytest.fixture(params=[parquet, mongo] if WITH_SERVERS else [parquet])
def enriched(request: pytest.FixtureRequest, tmp_path: Path) -> EnrichedDocuments:
    factory: Callable[[Path], EnrichedDocuments] = request.param
    return factory(tmp_path)


def events(batch: str, *ordinals: int, user: str | None = "ann", campaign: str | None = "c1") -> pa.Table:
    """Events an hour apart; who acted and where may be unknown."""
    return pa.Table.from_pylist(
        [
            {
                "record_id": f"{batch}:{ordinal}",
                "row_ordinal": ordinal,
                "timestamp": START + timedelta(hours=ordinal),
                "user_id": user,
                "campaign_id": campaign,
                "engagement_weight": 0.1,
            }
            for ordinal in ordinals
        ],
        schema=SCHEMA,
    )


def records(documents: list[dict[str, Any]]) -> list[str]:
    return [document["record_id"] for document in documents]


def test_a_document_is_its_row_without_nulls(enriched: EnrichedDocuments) -> None:
    row = {
        "record_id": "a:0",
        "row_ordinal": 0,
        "timestamp": START,
        "user_id": "ann",
        "message": 'ä|"\u0000$set.🙂',
        "engagement_weight": 3.0,
    }
    assert enriched.write("s__a", [pa.Table.from_pylist([row], schema=SCHEMA)]) == 1
    to_the_millisecond = START.replace(microsecond=123_000)
    assert enriched.read(["s__a"], limit=1) == [row | {"timestamp": to_the_millisecond}]


def test_the_newest_of_all_sets_come_first(enriched: EnrichedDocuments) -> None:
    enriched.write("s__a", [events("a", 2, 0), events("a", 4)])
    enriched.write("s__b", [events("b", 3, 1)])
    enriched.write("s__c", [events("c", 9)])
    assert records(enriched.read(["s__a", "s__b"], limit=10)) == ["a:4", "b:3", "a:2", "b:1", "a:0"]
    assert records(enriched.read(["s__a", "s__b"], limit=2)) == ["a:4", "b:3"]
    assert enriched.read(["s__a"], limit=0) == enriched.read([], limit=5) == []


def test_documents_of_a_user_and_of_a_campaign(enriched: EnrichedDocuments) -> None:
    rows = [events("a", 0), events("a", 1, user="bob"), events("a", 2, campaign="c2")]
    enriched.write("s__a", [*rows, events("a", 3, user=None, campaign=None)])
    assert records(enriched.read(["s__a"], user_id="ann", limit=10)) == ["a:2", "a:0"]
    assert records(enriched.read(["s__a"], campaign_id="c1", limit=10)) == ["a:1", "a:0"]
    assert records(enriched.read(["s__a"], user_id="ann", campaign_id="c2", limit=10)) == ["a:2"]
    assert enriched.read(["s__a"], user_id="nobody", limit=10) == []
    assert enriched.count("s__a") == 4


def test_writing_a_set_again_replaces_it(enriched: EnrichedDocuments) -> None:
    enriched.write("s__a", [events("a", 0, 1, 2)])
    enriched.write("s__b", [events("b", 0)])
    enriched.write("s__a", [events("a", 1)])
    assert records(enriched.read(["s__a", "s__b"], limit=10)) == ["a:1", "b:0"]
    assert [enriched.count("s__a"), enriched.count("s__b")] == [1, 1]


def test_a_write_that_fails_leaves_what_was_there(enriched: EnrichedDocuments) -> None:
    enriched.write("s__a", [events("a", 0)])

    def broken() -> Iterator[pa.Table]:
        yield events("a", 1, 2)
        assert records(enriched.read(["s__a", "s__b"], limit=10)) == ["a:0"]
        raise OSError("the disk went away")

    for name in ("s__a", "s__b"):
        with pytest.raises(OSError, match="went away"):
            enriched.write(name, broken())
    assert records(enriched.read(["s__a", "s__b"], limit=10)) == ["a:0"]
    assert enriched.names() == ["s__a"]


def test_an_ordinal_that_repeats_is_refused(enriched: EnrichedDocuments) -> None:
    with pytest.raises(ValueError, match="must be unique"):
        enriched.write("s__a", [events("a", 0, 1), events("a", 1)])
    assert enriched.names() == []


def test_a_set_may_be_empty(enriched: EnrichedDocuments) -> None:
    assert enriched.write("s__a", []) == 0
    assert enriched.names() == ["s__a"]
    assert enriched.count("s__a") == 0


def test_nothing_is_left_of_a_dropped_set(enriched: EnrichedDocuments) -> None:
    enriched.write("s__a", [events("a", 0)])
    enriched.write("s__b", [events("b", 0)])
    for name in ("s__a", "never"):
        enriched.drop(name)
    assert enriched.names() == ["s__b"]
    assert records(enriched.read(["s__a", "s__b"], limit=10)) == ["b:0"]
    with pytest.raises(UnknownName, match="s__a"):
        enriched.count("s__a")
