"""Every query of the platform gives the same rows on every engine, money to the last decimal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.analytics import aggregates
from marketing_platform.analytics.enrichment import CAMPAIGNS, enrichment, made_with
from marketing_platform.analytics.kpis import Filter, Question, answer, coverage_of, load_registry
from marketing_platform.analytics.kpis.periods import last_days
from marketing_platform.analytics.report import build_report
from marketing_platform.catalog import TableKind, tables
from marketing_platform.catalog.entities import BATCHES, LANDED, entity_sql
from marketing_platform.content import people
from marketing_platform.content.segments import Criteria, Segment
from marketing_platform.content.segments.queries import (
    count_sql,
    counts_sql,
    members_query,
    sample_sql,
    segments_query,
)
from marketing_platform.encoders.messages import SAID, TEXTS, WRITTEN
from marketing_platform.experiments import counting as experiments
from marketing_platform.experiments.loading import load_declarations
from marketing_platform.experiments.spec import Declarations
from marketing_platform.features.loading import load_features
from marketing_platform.features.queries import (
    GIVEN_PAIRS,
    TIMED,
    every_entity,
    given_pair,
    last_moment_sql,
    texts_sql,
    unknown_sql,
    values_sql,
)
from marketing_platform.features.spec import ENTITIES as FEATURED
from marketing_platform.features.spec import Entity
from marketing_platform.gates import profile_sql
from marketing_platform.graph.interests import DESCRIBED, VOCABULARY
from marketing_platform.graph.model import RECORD_ID, graph_model
from marketing_platform.recommenders.item_kinds import ENGAGEMENT, INTERESTS, PARTS, PURCHASES
from marketing_platform.recommenders.rules.spec import Condition
from marketing_platform.sample import write_sample
from marketing_platform.settings import load_settings
from marketing_platform.sources import load_sources, match_source, project, read_rows
from marketing_platform.stores.protocols import Select, TableRef, Warehouse
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse
from marketing_platform_tests.servers.shared import shared

NOW = datetime(2026, 7, 1, 12, 30, 15, tzinfo=UTC)
ENTITIES = sorted(table.name for table in tables().values() if table.kind is TableKind.ENTITY)
FACTS = sorted(table.name for table in tables().values() if table.kind is TableKind.FACT)
GRAPH = {part.label: part.sql for part in graph_model().labels} | {
    part.type: part.sql for part in graph_model().relations
}
ALIKE = pa.table(
    {
        "user_id": [f"u-{number:06d}" for number in range(1, 11)],
        "rank": [1] * 10,
        "similar_user_id": [f"u-{number:06d}" for number in range(11, 21)],
        "score": pa.array([0.9 - number / 7 for number in range(10)], pa.float32()),
    }
)
_PARTS = f"SELECT sequence, parts[$table] AS part FROM {BATCHES} WHERE parts[$table] IS NOT NULL"


@dataclass(frozen=True)
class Loaded:
    """A warehouse that holds the sample, and what its tables are."""

    warehouse: Warehouse
    refs: dict[str, TableRef]

    def ask(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return self.warehouse.query(Select(sql, list(self.refs.values()), parameters)).to_pylist()

    def asked(self, sql: str, tables: Sequence[str], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The same for the KPI engine."""
        return self.warehouse.query(Select(sql, [self.refs[name] for name in tables], parameters)).to_pylist()


@pytest.fixture(scope="module")
def sample_rows(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, pa.Table]]:
    """(batch, table, rows) of a small sample, planted errors included where they could be typed."""
    folder = tmp_path_factory.mktemp("sample")
    specs = load_sources(load_settings().sources_dir)
    found: list[tuple[str, str, pa.Table]] = []
    for number, file in enumerate(write_sample(folder, users=60, events=1500).files):
        spec = match_source(specs, file.path)
        assert spec is not None
        batch = f"{file.path}@{number:04x}"
        with (folder / file.path).open("rb") as stream:
            for raw in read_rows(stream, spec, chunk_rows=100_000, max_cell_bytes=1 << 20):
                found += [(batch, name, rows) for name, rows in project(raw, spec, batch).tables.items()]
    return found


@pytest.fixture(scope="module")
def embedded(
    sample_rows: list[tuple[str, str, pa.Table]], tmp_path_factory: pytest.TempPathFactory
) -> Loaded:
    return load(DuckDBWarehouse(tmp_path_factory.mktemp("duckdb")), sample_rows)


def postgres() -> Warehouse:
    from marketing_platform.stores.warehouse_postgres import PostgresWarehouse
    from marketing_platform_tests.servers import postgres as server

    return PostgresWarehouse(server.settings(shared(server.running)))


def bigquery() -> Warehouse:
    from marketing_platform.stores.warehouse_bigquery import BigQueryWarehouse
    from marketing_platform_tests.servers import bigquery as server
    from marketing_platform_tests.servers import gcs

    return BigQueryWarehouse(server.settings(shared(server.running)), gcs.settings(shared(gcs.running)))


@pytest.fixture(scope="module", params=[postgres, bigquery])
def engines(
    request: pytest.FixtureRequest, embedded: Loaded, sample_rows: list[tuple[str, str, pa.Table]]
) -> Iterator[tuple[Loaded, Loaded]]:
    """The embedded warehouse and one on a server."""
    with closing(request.param()) as other:
        yield embedded, load(other, sample_rows)


def load(warehouse: Warehouse, rows: Sequence[tuple[str, str, pa.Table]]) -> Loaded:
    """Store the rows as batches do, then fold entities and aggregates, as the assets do."""
    batches = sorted({batch for batch, _, _ in rows})
    parts: dict[str, dict[str, str]] = {batch: {} for batch in batches}
    for batch, name, table in rows:
        part = f"{name}__{batches.index(batch)}_1"
        with warehouse.writer(part, table.schema) as writer:
            writer.add(table)
        parts[batch][name] = part
    refs: dict[str, TableRef] = {}
    admitted = pa.table(
        {
            "batch_id": pa.array(batches, pa.string()),
            "sequence": pa.array(range(len(batches)), pa.int64()),
            "source": pa.array([batch.partition("@")[0] for batch in batches], pa.string()),
            "rows_landed": pa.array([10] * len(batches), pa.int64()),
            "rows_valid": pa.array([9] * len(batches), pa.int64()),
            "rows_quarantined": pa.array([1] * len(batches), pa.int64()),
            "parts": pa.array(
                [list(parts[batch].items()) for batch in batches], pa.map_(pa.string(), pa.string())
            ),
        }
    )
    with warehouse.writer(f"{BATCHES}__1", admitted.schema) as writer:
        writer.add(admitted)
    refs[BATCHES] = writer.stored.ref
    landed = {name: [parts[batch][name] for batch in batches if name in parts[batch]] for name in tables()}
    for name in FACTS:
        schema = tables()[name].arrow_schema
        refs[name] = warehouse.combine(f"{name}__all", landed[name], schema).ref
    for name in ENTITIES:
        of_rows = TableRef(LANDED, tuple(landed[name]), tables()[name].arrow_schema)
        select = Select(entity_sql(tables()[name]), [of_rows, *refs.values()])
        refs[name] = warehouse.create(f"{name}__all", select).ref
    of_messages = (
        "SELECT user_id, 'Camping' AS interest, COUNT(*) AS messages, COUNT(*) + 2 AS written FROM events"
    )
    select = Select(f"{of_messages} WHERE message IS NOT NULL GROUP BY user_id", [refs["events"]])
    refs["message_interests"] = warehouse.create("message_interests__all", select).ref
    with warehouse.writer("similar_users__all", ALIKE.schema) as writer:
        writer.add(ALIKE)
    refs["similar_users"] = writer.stored.ref
    for name, aggregate in aggregates().items():
        select = Select(aggregate.query, [refs[read] for read in aggregate.reads])
        refs[name] = warehouse.create(f"{name}__all", select).ref
    return Loaded(warehouse, refs)


def same(one: Any, other: Any) -> bool:
    """Equal: decimals and counts exactly, floats to 1e-9 of their size."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return other is not None and one is not None and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def assert_same(engines: tuple[Loaded, Loaded], sql: str, **parameters: Any) -> None:
    """The rows are equal one by one, in whatever order."""
    ours, theirs = (sorted(engine.ask(sql, **parameters), key=_order) for engine in engines)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert same(one, other), (one, other)


def _order(row: dict[str, Any]) -> str:
    return repr(
        [
            format(value, ".6g") if isinstance(value, float | Decimal | int) else str(value)
            for value in row.values()
        ]
    )


@pytest.mark.parametrize("name", ENTITIES)
def test_entities(engines: tuple[Loaded, Loaded], name: str) -> None:
    columns = ", ".join(tables()[name].column_names)
    assert_same(engines, f"SELECT {columns} FROM {name}")


@pytest.mark.parametrize("name", sorted(aggregates()))
def test_aggregates(engines: tuple[Loaded, Loaded], name: str) -> None:
    duckdb, other = ([(f.name, str(f.type)) for f in engine.refs[name].schema] for engine in engines)
    assert other == duckdb
    assert_same(engines, f"SELECT * FROM {name}")


@pytest.mark.parametrize("name", ["kpi_daily", "buyer_days"])
def test_days_begin_at_midnight_of_the_time_zone(engines: tuple[Loaded, Loaded], name: str) -> None:
    assert_same(engines, aggregates()[name].query_in("America/New_York"))


@pytest.mark.parametrize(
    ("kpis", "by"),
    [
        (("cac", "roas", "ctr"), ("platform", "country")),
        (("spend", "revenue"), ("source", "week")),
        (("aov",), ("country", "month")),
        (("repeat_rate",), ("country",)),
        (("engagement",), ("channel",)),
    ],
    ids=["ratios", "weeks", "sales", "customers", "activity"],
)
def test_kpis(engines: tuple[Loaded, Loaded], kpis: tuple[str, ...], by: tuple[str, ...]) -> None:
    registry = load_registry(load_settings().kpis_dir)
    # Exports of the sample are in several currencies; what rates are good for is shown elsewhere.
    rates = {"EUR": Decimal("1.1"), "GBP": Decimal("1.3"), "USD": Decimal(1)}
    registry = replace(registry, workspace=registry.workspace.model_copy(update={"rates": rates}))
    latest = max(coverage_of(engines[0].asked).of(["ads", "sales", "activity"]))
    period = last_days(latest, 45)
    question = Question(kpis, period, period.before(), by=by, filters={"country": Filter(never=("FR",))})
    if "country" not in registry.dimensions_of(registry.kpi(kpis[0])):
        question = replace(question, filters={})
    duckdb, other = (answer(registry, question, engine.asked) for engine in engines)
    assert duckdb.lines
    assert other.last_day == duckdb.last_day
    assert [line.key for line in other.lines] == [line.key for line in duckdb.lines]
    for theirs, ours in zip((other.total, *other.lines), (duckdb.total, *duckdb.lines), strict=True):
        for name, value in ours.values.items():
            assert same(vars(theirs.values[name]), vars(value)), (ours.key, name)


@pytest.mark.parametrize("name", [*FACTS, *ENTITIES])
def test_profiles_that_gates_judge(engines: tuple[Loaded, Loaded], name: str) -> None:
    assert_same(engines, profile_sql(tables()[name]), now=NOW)


@pytest.mark.parametrize("name", GRAPH)
def test_nodes_and_relations(engines: tuple[Loaded, Loaded], name: str) -> None:
    assert_same(engines, GRAPH[name].format(record_id=RECORD_ID))


@pytest.mark.parametrize("query", [experiments.counts_sql, experiments.first_arms_sql])
def test_experiments(engines: tuple[Loaded, Loaded], query: Callable[[Declarations], str]) -> None:
    declared = load_declarations(load_settings().experiments_dir)
    assert_same(engines, query(declared))
    none = Declarations()
    assert_same(engines, query(none))


@pytest.mark.parametrize("sql", [TEXTS, WRITTEN, VOCABULARY, DESCRIBED])
def test_texts(engines: tuple[Loaded, Loaded], sql: str) -> None:
    duckdb, other = (engine.ask(sql) for engine in engines)
    assert other == duckdb  # in the same order: both sort by bytes


def test_documents(engines: tuple[Loaded, Loaded]) -> None:
    assert_same(engines, enrichment().query.format(record_id=RECORD_ID))
    duckdb, other = (made_with("", engine.ask(CAMPAIGNS)) for engine in engines)
    assert other == duckdb


@pytest.mark.parametrize("sql", [PURCHASES, ENGAGEMENT, INTERESTS, PARTS, SAID])
def test_what_recommendations_learn_from(engines: tuple[Loaded, Loaded], sql: str) -> None:
    duckdb, other = (engine.ask(sql) for engine in engines)
    assert duckdb
    assert other == duckdb  # in the same order: ties are learned in the order they come in


def test_people(engines: tuple[Loaded, Loaded]) -> None:
    assert_same(engines, people.USERS_SQL)
    for sql in (people.PURCHASES_SQL, people.INTERESTS_SQL):
        assert engines[0].ask(sql, most=3)
        assert_same(engines, sql, most=3)
    expensive = Condition.model_validate({"at_least": 100})
    assert_same(engines, people.pairs_sql([{"price": expensive}]), most=3)


@pytest.mark.parametrize("entity", FEATURED)
def test_features_now_and_of_pairs(engines: tuple[Loaded, Loaded], entity: Entity) -> None:
    features = load_features(load_settings().features_dir)[entity]
    now = {"at": NOW}
    assert_same(engines, values_sql(features, every_entity(features), pair=features.key), **now)
    keys = [row["pair"] for row in engines[0].ask(every_entity(features), **now)][:40]
    pairs = [
        given_pair(number, key, NOW - timedelta(days=9 * number, microseconds=1))
        for number, key in enumerate([*keys, "nobody"])
    ]
    assert_same(engines, values_sql(features, GIVEN_PAIRS), pairs=pairs)
    assert_same(engines, unknown_sql(features), pairs=pairs)
    for one in features.centroids:
        assert_same(engines, texts_sql(features, one.table, one.column, GIVEN_PAIRS), pairs=pairs)


SEGMENTS = {
    "user": {"user": {"marketing_consent": True, "signed_up_on": {"at_least": date(2025, 1, 1)}}},
    "features": {"features": {"spend": {"at_least": 19.99}, "mean_satisfaction": {"at_most": 4.5}}},
    "engagement": {"engagement": {"clicks": {"at_least": 1}, "last_at": {"at_least": date(2026, 4, 1)}}},
    "interest": {"interest": {"interest": "Camping", "confidence": {"at_least": 0.4}}},
    "campaign": {"campaign": {"events": {"at_least": 2}, "engagement_score": {"at_most": 50}}},
    "bought": {"bought": {"where": {"products.price": {"at_least": 9.5}, "quantity": [1, 2]}, "days": 120}},
    "none": {"none": [{"bought": {"orders": 2}}, {"user": {"country": {"not": ["DE", "FR"]}}}]},
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_segments(engines: tuple[Loaded, Loaded], name: str) -> None:
    features = load_features(load_settings().features_dir)["user"]
    now = {"at": NOW}
    for one in engines:
        values = values_sql(features, every_entity(features), pair=features.key)
        made = one.warehouse.create("user_features__all", Select(values, list(one.refs.values()), now))
        one.refs["user_features"] = made.ref
    segment = Segment(name, "-", Criteria.model_validate(SEGMENTS[name]))
    asked = members_query(segment.who, features, NOW)
    assert_same(engines, asked.sql, **asked.parameters)
    assert engines[0].ask(count_sql(asked), **asked.parameters)[0]["users"] > 0
    assert_same(engines, count_sql(asked), **asked.parameters)
    assert_same(engines, sample_sql(asked), **asked.parameters, most=3)
    everyone = segments_query([segment], features, NOW)
    assert_same(engines, f"{everyone.sql} ORDER BY segment, user_id", **everyone.parameters)
    assert_same(engines, counts_sql(everyone), **everyone.parameters)


def test_where_the_data_ends(engines: tuple[Loaded, Loaded]) -> None:
    for name in TIMED:
        assert_same(engines, last_moment_sql(name))


def test_the_report(engines: tuple[Loaded, Loaded]) -> None:
    duckdb, other = (build_report(engine.ask) for engine in engines)
    assert same(duckdb, other)


def test_parts_of_admitted_batches(engines: tuple[Loaded, Loaded]) -> None:
    assert_same(engines, _PARTS, table="events")


def test_a_page_of_the_api(engines: tuple[Loaded, Loaded]) -> None:
    sql = (
        'SELECT "date", "channel", "clicks" FROM daily_activity WHERE "date" >= $value0'
        ' ORDER BY "clicks" desc NULLS LAST, date, channel LIMIT $limit OFFSET $offset'
    )
    parameters = {"value0": NOW.date().replace(year=2025), "limit": 7, "offset": 3}
    duckdb, other = (engine.ask(sql, **parameters) for engine in engines)
    assert other == duckdb
    assert len(duckdb) == 7
