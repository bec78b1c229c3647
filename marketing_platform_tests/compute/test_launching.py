"""How a step launches a job and what its run learns of it; a small program stands where Spark's would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.compute.jobs import Figures, Sifting, Statements
from marketing_platform.defs.spark import launch
from marketing_platform.errors import ComputeUnavailable
from marketing_platform.stores.spark_settings import SparkSettings

PROGRAM = """
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    job, asset = pipes.get_extra("job"), pipes.get_extra("asset")
    pipes.log.info(f"{job['kind']} at {pipes.get_extra('spark')['master']}")
    BODY
"""
TOLD = "pipes.report_asset_materialization({'rows': 7, 'seconds': 3}, asset_key=asset)"
BATCHES = dg.DynamicPartitionsDefinition(name="batches")
Program = Callable[[str], None]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    def write(body: str) -> None:
        path = tmp_path / "program.py"
        path.write_text(PROGRAM.replace("BODY", body), encoding="utf-8")
        monkeypatch.setattr("marketing_platform.defs.spark._look_for_spark", lambda: None)
        monkeypatch.setattr("marketing_platform.defs.spark._PROGRAM", (sys.executable, str(path)))

    return write


def queries(folder: Path) -> Figures:
    return launch(Statements(views=(), queries={}, output=folder), SparkSettings())


def test_log_and_figures_come_back_beside_the_steps_own_result(program: Program, tmp_path: Path) -> None:
    program(TOLD)
    found: list[Figures] = []

    @dg.asset
    def table() -> str:
        found.append(queries(tmp_path))
        return "its own result"

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([table], instance=instance)
        logs = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert run.output_for_node("table") == "its own result"
    assert found == [{"rows": 7, "seconds": 3}]
    (made,) = run.asset_materializations_for_node("table")
    assert {name: made.metadata[name].value for name in ("cost/rows", "cost/seconds")} == {
        "cost/rows": 7,
        "cost/seconds": 3,
    }
    assert "statements at local[*]" in logs


def test_figures_of_a_batch_are_its_partitions(program: Program, tmp_path: Path) -> None:
    program(TOLD)

    @dg.multi_asset(
        outs={name: dg.AssetOut(dagster_type=dg.Nothing) for name in ("valid", "quarantined")},
        partitions_def=BATCHES,
    )
    def validate():
        for batch in ("b@1", "c@2"):
            job = Sifting(
                records=tmp_path,
                batch_id=batch,
                source="s",
                landed_at=datetime(2026, 7, 1, tzinfo=UTC),
                sources_dir=tmp_path,
                expectations_dir=tmp_path,
                declared=("a", "b"),
                output=tmp_path,
            )
            launch(job, SparkSettings())
        yield dg.Output(None, output_name="valid")
        yield dg.Output(None, output_name="quarantined")

    tags = {"dagster/asset_partition_range_start": "b@1", "dagster/asset_partition_range_end": "c@2"}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("batches", ["b@1", "c@2"])
        run = dg.materialize([validate], instance=instance, tags=tags)
    made = run.asset_materializations_for_node("validate")
    told = {(one.asset_key.to_user_string(), one.partition) for one in made if "cost/rows" in one.metadata}
    assert told == {("valid", "b@1"), ("valid", "c@2")}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pipes.report_custom_message({'failed': 'there is no column x'})", "there is no column x"),
        ("pass", "told nothing"),
        ("import os; os._exit(9)", "ended early.*code 9"),
    ],
    ids=["told", "silent", "dead"],
)
def test_a_job_that_failed_fails_the_step(program: Program, tmp_path: Path, body: str, said: str) -> None:
    program(body)

    @dg.asset
    def table() -> None:
        queries(tmp_path)

    with pytest.raises(ComputeUnavailable, match=said):
        dg.materialize([table])
