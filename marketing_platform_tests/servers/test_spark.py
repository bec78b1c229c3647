"""Spark gives what DuckDB, the gates and the local encoder give: row for row, vector for vector."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from marketing_platform.analytics import aggregates
from marketing_platform.catalog import tables
from marketing_platform.catalog.entities import BATCHES, LANDED, entity_sql
from marketing_platform.compute import OnSpark
from marketing_platform.compute.job.session import reason
from marketing_platform.compute.spark_encoder import SparkEncoder
from marketing_platform.compute.spark_warehouse import SparkWarehouse
from marketing_platform.defs.io_managers import WarehouseIOManager
from marketing_platform.defs.spark import launch
from marketing_platform.encoders import open_encoder
from marketing_platform.errors import ComputeUnavailable
from marketing_platform.experiments.counting import counts_sql
from marketing_platform.experiments.loading import load_declarations
from marketing_platform.features.loading import load_features
from marketing_platform.features.queries import every_entity, values_sql
from marketing_platform.features.spec import ENTITIES
from marketing_platform.gates import RowGate, Split, load_suites
from marketing_platform.ingestion.validation import sift
from marketing_platform.recommenders.item_kinds import KINDS
from marketing_platform.sample import write_sample
from marketing_platform.settings import Settings, load_settings
from marketing_platform.sources import load_sources, match_source, read_rows
from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform.stores.protocols import Select, TableRef, Warehouse
from marketing_platform_tests.servers import spark
from marketing_platform_tests.servers.test_engines_agree import (
    NOW,
    Loaded,
    embedded,
    same,
    sample_rows,
)

__all__ = ["embedded", "sample_rows"]

# Queries whose rows come in no certain order, or in one with ties.
UNORDERED = {"buyer_days", "kpi_coverage", "kpi_daily", "kpi_daily in New York"}
FEATURES = load_features(load_settings().features_dir)


def queries() -> dict[str, Select]:
    """What assets are computed by, and what recommenders learn from; tables are named later."""
    declared = {name: Select(one.query) for name, one in aggregates().items()}
    declared["kpi_daily in New York"] = Select(aggregates()["kpi_daily"].query_in("America/New_York"))
    for entity in ENTITIES:
        features = FEATURES[entity]
        sql = values_sql(features, every_entity(features), pair=features.key)
        declared[f"{entity} features"] = Select(sql, (), {"at": NOW})
    experiments = load_declarations(load_settings().experiments_dir)
    declared["experiment_days"] = Select(counts_sql(experiments))
    learned = dict.fromkeys(sql for kind in KINDS for sql in kind.large)
    return declared | {f"learned from {number}": Select(sql) for number, sql in enumerate(learned)}


QUERIES = queries()


@pytest.fixture(scope="module")
def answers(embedded: Loaded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """The rows of every query, from one job."""
    folders = NamedFolders(tmp_path_factory.mktemp("compute"), "job")
    warehouse = SparkWarehouse(embedded.warehouse, lambda job: launch(job, spark.settings()), folders)
    refs = tuple(embedded.refs.values())
    asked = [Select(select.sql, refs, select.parameters) for select in QUERIES.values()]
    found, run = spark.in_a_step(lambda: warehouse.answers(asked))
    metadata = run.asset_materializations_for_node("step")[0].metadata
    assert metadata["cost/rows"].value == sum(table.num_rows for table in found)
    assert int(str(metadata["cost/bytes_read"].value)) > 0
    assert int(str(metadata["cost/bytes_shuffled"].value)) > 0
    return dict(zip(QUERIES, found, strict=True))


@pytest.mark.parametrize("name", QUERIES)
def test_queries(embedded: Loaded, answers: dict[str, pa.Table], name: str) -> None:
    select = QUERIES[name]
    ours = embedded.warehouse.query(Select(select.sql, tuple(embedded.refs.values()), select.parameters))
    ours, theirs = (table.to_pylist() for table in (ours, answers[name]))
    if name in UNORDERED:
        ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
    assert ours or name == "product_pairs"  # nobody buys much in so small a sample
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert same(one, other), (one, other)


def test_a_table_is_stored_as_duckdb_stores_it(embedded: Loaded, tmp_path: Path) -> None:
    asked = "SELECT parts['users'] AS part FROM admitted_batches WHERE parts['users'] IS NOT NULL"
    parts = tuple(row["part"] for row in embedded.ask(asked))
    landed = TableRef(LANDED, parts, tables()["users"].arrow_schema)
    places = [place.table for place in tables()["users"].seen_in]
    select = Select(
        entity_sql(tables()["users"]), [landed, *(embedded.refs[name] for name in (BATCHES, *places))]
    )
    here = embedded.warehouse.create("users__here", select)
    settings = Settings.model_validate({"data_dir": tmp_path})
    compute = OnSpark(settings, lambda job: launch(job, spark.settings()))
    warehouse = compute.warehouse(embedded.warehouse)

    @dg.asset
    def users() -> Select:
        return select

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [users], instance=instance, resources={"io_manager": WarehouseIOManager(warehouse)}
        )
        logs = [entry.user_message for entry in instance.all_logs(run.run_id)]
    metadata = run.asset_materializations_for_node("users")[0].metadata
    assert metadata["fingerprint"].value == here.fingerprint
    assert metadata["dagster/row_count"].value == here.rows
    assert int(str(metadata["cost/bytes_read"].value)) > 0
    assert any(line.startswith("Spark 4.") for line in logs)
    made = embedded.warehouse.open(str(metadata["name"].value))
    # Whether DuckDB notes that no value is missing depends on the rows.
    assert [(one.name, one.type) for one in made.ref.schema] == [
        (one.name, one.type) for one in here.ref.schema
    ]
    by_key = "SELECT * FROM users"
    stored, wanted = (embedded.warehouse.query(Select(by_key, [one.ref])) for one in (made, here))
    assert stored.equals(wanted)  # in the same order


def landed_chunks(folder: Path, *, chunk_rows: int, at_least: int = 3) -> tuple[Any, list[pa.Table]]:
    """The source and the raw records of a file of the sample with events, in so many chunks or more."""
    specs = load_sources(load_settings().sources_dir)
    for file in write_sample(folder, users=60, events=1500).files:
        spec = match_source(specs, file.path)
        if spec is not None and "events" in spec.tables:
            with (folder / file.path).open("rb") as stream:
                chunks = list(read_rows(stream, spec, chunk_rows=chunk_rows, max_cell_bytes=1 << 20))
            if len(chunks) >= at_least:
                return spec, chunks
    raise AssertionError(f"the sample has no file with events of {at_least} chunks")


def assert_same_split(ours: Split, theirs: Split) -> None:
    assert theirs.quarantine.equals(ours.quarantine)
    assert theirs.tables.keys() == ours.tables.keys()
    for name, rows in ours.tables.items():
        assert theirs.tables[name].equals(rows)
    counts = [(one.rows_landed, one.rows_valid, one.unreadable) for one in (ours, theirs)]
    assert counts[0] == counts[1]


def test_records_are_sifted_alike_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    spec, chunks = landed_chunks(tmp_path / "sample", chunk_rows=40)
    suites, landed_at = load_suites(load_settings().expectations_dir), datetime(2026, 7, 1, tzinfo=UTC)
    settings = Settings.model_validate({"data_dir": tmp_path})
    compute = OnSpark(settings, lambda job: launch(job, spark.settings()))
    theirs, _ = spark.in_a_step(lambda: list(compute.sift(chunks, "b@1", spec, suites, landed_at)))
    gate = RowGate(suites, now=landed_at)
    ours = [sift(chunk, "b@1", spec, gate)[0] for chunk in chunks]
    assert sum(one.rows_quarantined for one in ours) > 0
    assert len(theirs) == len(ours)
    for one, other in zip(ours, theirs, strict=True):
        assert_same_split(one, other)


def test_texts_have_the_vectors_that_the_local_encoder_gives(tmp_path: Path) -> None:
    here = open_encoder(load_settings().data_dir.resolve() / "models")
    folders = NamedFolders(tmp_path / "compute", "job")
    encoder = SparkEncoder(
        lambda: here, lambda job: launch(job, spark.settings()), folders, tmp_path / "models", worth_a_job=1
    )
    texts = [
        "",
        "a tent for two",
        "ein Zelt für zwei",
        "half a pair \ud83d",
        *(f"order {n} " * n for n in range(40)),
    ]
    arrived: list[int] = []
    theirs, _ = spark.in_a_step(
        lambda: encoder.encode(texts, arrived=lambda rows, _vectors: arrived.extend(rows.tolist()))
    )
    ours = here.encode(texts)
    assert np.allclose(theirs, ours, atol=1e-6)
    assert not theirs[0].any()
    assert sorted(arrived) == list(range(len(texts)))


def test_why_a_job_failed_is_said(embedded: Loaded, tmp_path: Path) -> None:
    folders = NamedFolders(tmp_path / "compute", "job")
    warehouse: Warehouse = SparkWarehouse(
        embedded.warehouse, lambda job: launch(job, spark.settings()), folders
    )
    select = Select("SELECT CAST(event_type AS BIGINT) AS n FROM events", [embedded.refs["events"]])
    with pytest.raises(ComputeUnavailable, match="CAST_INVALID_INPUT"):
        spark.in_a_step(lambda: warehouse.create("broken__1", select))
    assert "broken__1" not in warehouse.names()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ComputeUnavailable("start it again"), "start it again"),
        (KeyError("n"), "KeyError: 'n'"),
        (PySparkException("no column m\n\tat org.apache.spark.sql"), "no column m"),
        (
            PySparkException("Job failed\nTraceback (most recent call last):\nKeyError: 'm'\n\tat org"),
            "KeyError: 'm'",
        ),
        (
            Py4JError("An error occurred while calling o1.load.\n: IOException: disk full\n\tat java"),
            "IOException: disk full",
        ),
        (Py4JError(""), "Py4JError"),
    ],
    ids=["ours", "Python's", "Spark's", "an executor's", "Java's", "without words"],
)
def test_of_an_error_of_many_lines_one_is_read(error: Exception, said: str) -> None:
    assert reason(error) == said
