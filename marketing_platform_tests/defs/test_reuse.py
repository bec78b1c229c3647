"""What was made of just the same keeps its name, and anything else is computed."""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from marketing_platform.defs.io_managers import (
    AnswersIOManager,
    Prepared,
    ReportIOManager,
    WarehouseIOManager,
    latest_name,
    reusable,
)
from marketing_platform.defs.progress import before
from marketing_platform.stores.answers_sqlite import SqliteAnswers
from marketing_platform.stores.protocols import Select, StoredTable
from marketing_platform.stores.reports_folder import FolderReports
from marketing_platform.stores.warehouse_duckdb import DuckDBWarehouse
from marketing_platform_tests.defs.made import computed, kept


@dataclass
class World:
    """A graph of one landed table, a query over it, a report and answers; and how often each was computed."""

    folder: Path
    instance: dg.DagsterInstance
    rows: list[int] = field(default_factory=lambda: [1, 2, 3])
    sql: str = "SELECT number % 2 AS odd, count(*) AS numbers FROM landed GROUP BY 1"
    least: int = 0
    shown: int = 5
    answered: int = 0

    def run(self) -> str:
        """Materialize everything; returns the id of the run."""
        warehouse = DuckDBWarehouse(self.folder / "warehouse")
        answers = SqliteAnswers(self.folder / "answers")
        result = dg.materialize(
            self._assets(),
            instance=self.instance,
            resources={
                "warehouse_io": WarehouseIOManager(warehouse),
                "answers_io": AnswersIOManager(answers),
                "report_io": ReportIOManager(FolderReports(self.folder / "reports")),
            },
        )
        return result.run_id

    def _assets(self) -> list[dg.AssetsDefinition]:
        @dg.asset(io_manager_key="warehouse_io")
        def landed() -> pa.Table:
            return pa.table({"number": pa.array(self.rows, pa.int64())})

        @dg.asset(io_manager_key="warehouse_io")
        def counted(landed: StoredTable) -> Select:
            return Select(
                f"SELECT * FROM ({self.sql}) WHERE numbers >= $least", [landed.ref], {"least": self.least}
            )

        @dg.asset(io_manager_key="report_io")
        def told(context: dg.AssetExecutionContext, counted: StoredTable) -> Any:
            if (same := reusable(context)) is not None:
                return same
            return {"groups": counted.rows}

        @dg.asset(io_manager_key="answers_io")
        def answered(context: dg.AssetExecutionContext, told: dict[str, Any]) -> Any:
            if (same := reusable(context, shown=self.shown)) is not None:
                return same
            self.answered += 1
            return Prepared([pa.table({"key": ["u"], "answer": [b"1"]})])

        return [landed, counted, told, answered]

    def why(self, run: str) -> dict[str, str]:
        """What the run computed of what asks, and why."""
        return {asset: why for asset, why in computed(self.instance, run).items() if why}


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path, instance)


def test_the_same_is_computed_once(world: World) -> None:
    first = world.run()
    assert set(world.why(first).values()) == {"it was never made"}
    names = {asset: latest_name(world.instance, asset) for asset in ("counted", "told", "answered")}
    for _ in range(2):
        again = world.run()
        assert world.why(again) == {}
        assert kept(world.instance, again) == dict.fromkeys(("counted", "told", "answered"), first)
    assert {asset: latest_name(world.instance, asset) for asset in names} == names
    assert world.answered == 1


def test_what_was_kept_is_described_as_it_was_when_it_was_made(world: World) -> None:
    def shown() -> dict[str, Any]:
        event = world.instance.get_latest_materialization_event(dg.AssetKey("counted"))
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        return {name: metadata[name] for name in ("name", "fingerprint", "dagster/row_count", "preview")}

    world.run()
    first = shown()
    world.run()
    assert shown() == first


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sql": "SELECT number AS odd, 1 AS numbers FROM landed"}, {"counted": "sql"}),
        ({"least": 1}, {"counted": "parameters"}),
        ({"rows": [1, 2, 3, 5]}, {"counted": "landed"}),
        ({"rows": [1, 2, 3, 4, 6, 7, 8, 10]}, {"counted": "landed"}),
        ({"shown": 6}, {"answered": "shown"}),
    ],
    ids=["query", "parameter", "row", "rows", "given"],
)
def test_what_changed_is_named_and_what_comes_out_the_same_changes_nothing_else(
    world: World, changes: dict[str, Any], why: dict[str, str]
) -> None:
    world.run()
    for name, value in changes.items():
        setattr(world, name, value)
    run = world.run()
    found = world.why(run)
    assert {asset: found[asset] for asset in why} == {
        asset: f"changed: {what}" for asset, what in why.items()
    }
    if "counted" not in why:
        assert found.keys() == why.keys()


def test_rows_that_came_out_the_same_keep_what_reads_them(world: World) -> None:
    world.run()
    world.sql = f"SELECT * FROM ({world.sql}) AS same"
    run = world.run()
    assert world.why(run) == {"counted": "changed: sql"}
    assert kept(world.instance, run).keys() == {"told", "answered"}


def test_a_document_that_came_out_the_same_keeps_what_reads_it(world: World) -> None:
    world.run()
    world.rows = [1, 2, 3, 5]  # another count, as many groups
    assert world.why(world.run()).keys() == {"counted", "told"}
    world.rows = [1, 3]
    assert world.why(world.run()).keys() == {"counted", "told", "answered"}


def test_what_is_gone_from_its_store_is_computed(world: World) -> None:
    world.run()
    name = latest_name(world.instance, "answered")
    SqliteAnswers(world.folder / "answers").drop(name)
    assert world.why(world.run()) == {"answered": f"{name} is not stored any more"}
    assert latest_name(world.instance, "answered") in SqliteAnswers(world.folder / "answers").names()
    assert world.answered == 2


def test_another_version_of_the_code_computes_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    monkeypatch.setattr("marketing_platform.defs.io_managers.reuse.package_version", lambda: "another")
    assert set(world.why(world.run()).values()) == {"changed: code"}


def test_the_next_run_knows_what_the_steps_of_the_last_one_took(world: World) -> None:
    assert before(world.instance, "publish") is None
    world.run()
    found = before(world.instance, "__ephemeral_asset_job__")
    assert found is not None
    assert found[1].seconds.keys() == {"landed", "counted", "told", "answered"}
