"""What can be known of jobs without starting one, and what an installation without Spark notices of them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketing_platform.compute import OnSpark, asking, without_jobs
from marketing_platform.compute.jobs import JOBS, Encoding, Job, Sifting, Statements, results
from marketing_platform.compute.spark_warehouse import Queries, SparkWarehouse
from marketing_platform.compute.staging import shape, view
from marketing_platform.defs.resources import build_resources
from marketing_platform.defs.spark import launch
from marketing_platform.errors import ComputeUnavailable, StoreUnavailable
from marketing_platform.settings import Settings
from marketing_platform.stores.named_folders import NamedFolders
from marketing_platform.stores.protocols import Select, TableRef, Warehouse
from marketing_platform.stores.spark_settings import SparkSettings
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse

ROWS = pa.table({"n": [1, 2, 3], "moment": pa.array([0, 1, 2], pa.timestamp("us", tz="UTC"))})


def stored(warehouse: Warehouse, part: str, rows: pa.Table = ROWS) -> TableRef:
    with warehouse.writer(part, rows.schema) as writer:
        writer.add(rows)
    return writer.stored.ref


@pytest.mark.slow
def test_nothing_of_spark_is_imported_unless_a_job_runs() -> None:
    asked = "import marketing_platform.definitions, sys; sys.exit('pyspark' in sys.modules)"
    subprocess.run([sys.executable, "-c", asked], check=True)


@pytest.mark.parametrize("missing", ["PySpark", "Java"])
def test_what_is_missing_is_named(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if missing == "PySpark":
        monkeypatch.setattr("marketing_platform.defs.spark.find_spec", lambda _name: None)
    else:
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ComputeUnavailable, match=f"needs {missing}.*install"):
        launch(Statements(views=(), queries={}, output=tmp_path), SparkSettings())


def test_wrong_settings_are_named_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MARKETING_SPARK_MASTER", "http://here")
    settings = Settings.model_validate({"data_dir": tmp_path, "compute": "spark"})
    with pytest.raises(StoreUnavailable, match="MARKETING_SPARK_MASTER"):
        build_resources(settings)


@pytest.mark.parametrize(
    "job",
    [
        Statements(views=(), queries={"a": "SELECT 1"}, output=Path("out")),
        Sifting(
            records=Path("r"),
            batch_id="b@1",
            source="s",
            landed_at=datetime(2026, 7, 1, tzinfo=UTC),
            sources_dir=Path("s"),
            expectations_dir=Path("e"),
            declared=("a", "b"),
            output=Path("out"),
        ),
        Encoding(model="m", texts=Path("t"), models_dir=Path("m"), output=Path("out")),
    ],
    ids=lambda job: job.kind,
)
def test_jobs_travel_as_text(job: Job) -> None:
    assert JOBS.validate_json(JOBS.dump_json(job)) == job


def test_results_that_are_not_complete_here_are_refused(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "part-00000.parquet")
    with pytest.raises(ComputeUnavailable, match=r"not complete here.*same path"):
        list(results(tmp_path))
    (tmp_path / "_SUCCESS").touch()
    assert pa.concat_tables(results(tmp_path, batch_rows=2)).equals(ROWS)


def test_results_come_in_order_of_files_or_of_a_column(tmp_path: Path) -> None:
    for number, at in enumerate((2, 0, 3, 1)):  # 3: a file without rows
        pq.write_table(ROWS.slice(at, 1), tmp_path / f"part-{number}.parquet")
    (tmp_path / "_SUCCESS").touch()
    assert pa.concat_tables(results(tmp_path))["n"].to_pylist() == [3, 1, 2]
    assert pa.concat_tables(results(tmp_path, by="n"))["n"].to_pylist() == [1, 2, 3]


def test_a_result_has_the_columns_that_duckdb_stores(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    ref = stored(warehouse, "events__1")
    select = Select(
        "SELECT sum(n) AS s, max(moment) AS moment, $x AS x FROM events WHERE n < 3", [ref], {"x": 1.5}
    )
    assert shape(select).equals(warehouse.create("made__1", select).ref.schema)


class Elsewhere:
    """A warehouse of which nobody knows files."""

    def __init__(self, inner: Warehouse) -> None:
        self.batches = inner.batches


def test_tables_of_a_warehouse_without_files_are_copied(tmp_path: Path) -> None:
    warehouse: Any = DuckDBWarehouse(tmp_path / "warehouse")
    ref = stored(warehouse, "events__1")
    of_files, copied = view(warehouse, ref, tmp_path), view(Elsewhere(warehouse), ref, tmp_path)  # pyright: ignore[reportArgumentType]
    assert of_files.files == (str(tmp_path / "warehouse" / "events" / "events__1.parquet"),)
    for one in (of_files, copied):
        assert one.arrow_schema.equals(ref.schema)
        assert pa.concat_tables(map(pq.read_table, one.files)).cast(ref.schema).equals(ROWS)
    assert view(Elsewhere(warehouse), TableRef("none", (), ref.schema), tmp_path).files == ()  # pyright: ignore[reportArgumentType]


def test_one_name_means_one_table_in_a_job(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    one, two = (
        Select("SELECT n FROM events", [stored(warehouse, part)]) for part in ("events__1", "events__2")
    )
    with pytest.raises(ValueError, match="same names"):
        Queries(warehouse, {"one": one, "two": two}, tmp_path)


def test_only_what_is_created_is_a_job(tmp_path: Path) -> None:
    def no_job(_job: Job) -> dict[str, int]:
        raise AssertionError("a job was started")

    inner = DuckDBWarehouse(tmp_path)
    warehouse = SparkWarehouse(inner, no_job, NamedFolders(tmp_path / "compute", "job"))
    one, two = stored(warehouse, "events__1"), stored(warehouse, "events__2")
    both = warehouse.combine("events__3", [*one.parts, *two.parts], one.schema)
    assert warehouse.names() == inner.names() == ["events__1", "events__2", "events__3"]
    assert warehouse.open("events__3") == both == inner.open("events__3")
    select = Select("SELECT n FROM events ORDER BY n", [one])
    assert warehouse.query(select).equals(ROWS.select(["n"]))
    assert pa.concat_tables(warehouse.batches(select, chunk_rows=2)).equals(ROWS.select(["n"]))
    warehouse.drop("events__3")
    assert inner.names() == ["events__1", "events__2"]
    with pytest.raises(AssertionError, match="a job"):
        warehouse.create("made__1", select)


def test_without_spark_everything_is_asked_of_the_warehouse(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    ask = asking(warehouse, [stored(warehouse, "events__1")], ["SELECT n FROM events"])
    assert ask("SELECT n FROM events ORDER BY n").equals(ROWS.select(["n"]))


def test_only_what_is_created_becomes_a_job(tmp_path: Path) -> None:
    jobs: list[Job] = []

    def run(job: Job) -> dict[str, int]:
        assert isinstance(job, Statements)
        jobs.append(job)
        (job.output / "table").mkdir(parents=True)
        pq.write_table(pa.table({"n": pa.array([4], pa.int32())}), job.output / "table" / "part-0.parquet")
        (job.output / "table" / "_SUCCESS").touch()
        return {"seconds": 3}

    settings = Settings.model_validate({"data_dir": tmp_path})
    inner = DuckDBWarehouse(tmp_path / "warehouse")
    warehouse = OnSpark(settings, run).warehouse(inner)
    ref = stored(warehouse, "events__1")
    both = warehouse.combine("events__2", ["events__1"], ROWS.schema)
    assert warehouse.query(Select("SELECT count(*) AS n FROM events", [both.ref])).to_pylist() == [{"n": 3}]
    assert len(list(warehouse.batches(Select("SELECT n FROM events", [ref]), chunk_rows=10))) == 1
    assert not jobs
    made = warehouse.create("made__1", Select("SELECT n + 1 AS n FROM events WHERE n = 3", [ref]))
    assert [job.queries for job in jobs] == [{"table": "SELECT `n` + 1 AS `n` FROM `events` WHERE `n` = 3"}]
    assert made.cost == {"seconds": 3}
    assert made.ref.schema.field("n").type == pa.int64()  # as DuckDB has it
    assert warehouse.open("made__1") == made
    others = without_jobs(warehouse).create("fewer__1", Select("SELECT n FROM events WHERE n > 1", [ref]))
    assert (others.rows, len(jobs)) == (2, 1)
    warehouse.drop("made__1")
    assert warehouse.names() == ["events__1", "events__2", "fewer__1"]
    assert not list((tmp_path / "compute").glob(".*/rows"))  # nothing is left of the job


def test_a_provider_is_asked_by_one_process(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "encoder": "gemini"})
    provider: Any = object()
    assert OnSpark(settings, lambda _job: {}).encoder(lambda: provider) is provider


def test_the_graph_is_the_same_on_spark(tmp_path: Path) -> None:
    from marketing_platform.definitions import build_definitions

    graphs = [
        build_definitions(Settings.model_validate({"data_dir": tmp_path, "compute": compute}))
        for compute in ("duckdb", "spark")
    ]
    here, there = ({key: node.parent_keys for key, node in _nodes(one).items()} for one in graphs)
    assert here == there


def _nodes(definitions: dg.Definitions) -> dict[dg.AssetKey, Any]:
    graph = definitions.resolve_asset_graph()
    return {key: graph.get(key) for key in graph.get_all_asset_keys()}
