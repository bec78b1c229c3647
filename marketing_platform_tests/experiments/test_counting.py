"""Who counts for which arm, on which day: asked of a warehouse."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketing_platform.catalog import tables
from marketing_platform.experiments.counting import counts_sql, first_arms_sql, tables_read
from marketing_platform.experiments.released import moved_arms
from marketing_platform.experiments.spec import Declarations, Experiment
from marketing_platform.settings import Settings
from marketing_platform.stores.protocols import Select
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.experiments.declaring import METRICS
from marketing_platform_tests.experiments.declaring import experiment as in_november

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def experiment(name: str = "e", **changed: Any) -> Experiment:
    """Two days count, who leaves counts too, and arms are equally large."""
    arms = [{"arm": "a", "weight": 1}, {"arm": "b", "weight": 1}]
    guardrails = [{"metric": "unsubscribe", "worse_by": 0.1}]
    return in_november(name, **{"within_days": 2, "arms": arms, "guardrails": guardrails, **changed})


class Warehouse:
    """Holds rows of tables, and answers queries about them."""

    def __init__(self, folder: Path) -> None:
        self._warehouse = open_stores(Settings(data_dir=folder)).warehouse  # pyright: ignore[reportCallIssue]
        self._rows: dict[str, list[dict[str, Any]]] = {"exposures": [], "purchases": [], "events": []}

    def exposed(self, user: str, arm: str, *, days: float = 0, name: str = "e") -> None:
        at = NOON + timedelta(days=days)
        self._rows["exposures"].append({"experiment": name, "variant": arm, "user_id": user, "timestamp": at})

    def bought(self, user: str, *, days: float, quantity: int = 1) -> None:
        at = NOON + timedelta(days=days)
        self._rows["purchases"].append({"user_id": user, "timestamp": at, "quantity": quantity})

    def left(self, user: str, *, days: float) -> None:
        at = NOON + timedelta(days=days)
        self._rows["events"].append({"user_id": user, "timestamp": at, "event_type": "unsubscribe"})

    def ask(self, sql: str, names: tuple[str, ...]) -> pa.Table:
        refs = []
        for name in names:
            schema = tables()[name].arrow_schema
            rows = [{"batch_id": "b@0", "row_ordinal": at, **row} for at, row in enumerate(self._rows[name])]
            with self._warehouse.writer(name, schema) as part:
                part.add(pa.Table.from_pylist(rows, schema))
            refs.append(part.stored.ref)
        return self._warehouse.query(Select(sql, refs))

    def counts(self, *experiments: Experiment) -> list[tuple[Any, ...]]:
        declared = Declarations(experiments, None, METRICS)
        found = self.ask(counts_sql(declared), tables_read(declared)).to_pylist()
        return [
            (row["experiment"], row["arm"], row["day"].day, row["counted"], row["users"]) for row in found
        ]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def test_the_first_exposure_counts_and_what_follows_within_the_days(warehouse: Warehouse) -> None:
    warehouse.exposed("u1", "a")
    warehouse.exposed("u1", "a", days=1)
    warehouse.exposed("u2", "b", days=1)
    warehouse.bought("u1", days=-0.1)  # before
    warehouse.bought("u1", days=1.9)
    warehouse.bought("u1", days=1.95)  # not for the first time
    warehouse.bought("u2", days=1)  # at that very moment
    warehouse.bought("u2", days=2, quantity=-1)  # sent back: no purchase
    warehouse.left("u2", days=2.9)
    warehouse.bought("stranger", days=1)
    assert warehouse.counts(experiment()) == [
        ("e", "a", 1, "(users)", 1),
        ("e", "a", 3, "purchase", 1),
        ("e", "b", 2, "(users)", 1),
        ("e", "b", 2, "purchase", 1),
        ("e", "b", 4, "unsubscribe", 1),
    ]


def test_what_comes_after_the_days_does_not_count(warehouse: Warehouse) -> None:
    warehouse.exposed("u1", "a")
    warehouse.bought("u1", days=2)
    assert warehouse.counts(experiment()) == [("e", "a", 1, "(users)", 1)]


def test_a_user_in_two_arms_is_counted_apart_and_compared_nowhere(warehouse: Warehouse) -> None:
    warehouse.exposed("u1", "b")
    warehouse.exposed("u1", "a", days=1)
    warehouse.exposed("u2", "a")
    warehouse.bought("u1", days=1.5)
    assert warehouse.counts(experiment()) == [
        ("e", "a", 1, "(users)", 1),
        ("e", "b", 1, "(in two arms)", 1),
    ]


def test_only_arms_and_days_of_the_experiment_count(warehouse: Warehouse) -> None:
    warehouse.exposed("u1", "c")
    warehouse.exposed("u2", "a", days=-1)
    warehouse.exposed("u3", "a", days=30)
    warehouse.exposed("u4", "a", name="other")
    warehouse.exposed("u5", "a", days=29)
    assert warehouse.counts(experiment()) == [("e", "a", 30, "(users)", 1)]


def test_experiments_are_counted_apart(warehouse: Warehouse) -> None:
    warehouse.exposed("u1", "a")
    warehouse.exposed("u1", "b", name="f")
    warehouse.bought("u1", days=1)
    assert warehouse.counts(experiment(), experiment("f", about="other")) == [
        *[("e", "a", 1, "(users)", 1), ("e", "a", 2, "purchase", 1)],
        *[("f", "b", 1, "(users)", 1), ("f", "b", 2, "purchase", 1)],
    ]


def test_without_experiments_nothing_is_counted(warehouse: Warehouse) -> None:
    warehouse.exposed("u1", "a")
    assert warehouse.counts() == []


def test_only_users_whom_the_hash_would_draw_elsewhere_are_kept(warehouse: Warehouse) -> None:
    one, other = experiment(seed="s"), experiment("f", about="other", seed="s")
    # growthbook 4.0.0 puts u-1 into the first half of the seed "s", u-2 into the second.
    warehouse.exposed("u-1", "a")
    warehouse.exposed("u-2", "a")
    warehouse.exposed("u-2", "b", days=1)  # the first arm stays the first
    warehouse.exposed("u-2", "b", name="f")
    warehouse.exposed("u-3", "a", name="f")
    declared = Declarations((one, other), None, METRICS)
    sql = f"SELECT * FROM ({first_arms_sql(declared)}) AS firsts ORDER BY user_id, experiment"
    firsts = warehouse.ask(sql, ("exposures",))
    for size in (1, 2, 10):
        chunks = [pa.Table.from_batches([batch]) for batch in firsts.to_batches(max_chunksize=size)]
        moved = pa.concat_tables(moved_arms(declared, chunks)).to_pylist()
        assert moved == [{"key": "u-2", "answer": b'{"e":"a"}'}, {"key": "u-3", "answer": b'{"f":"a"}'}]
    assert date(2026, 11, 1) == firsts["first_at"][0].as_py().date()
