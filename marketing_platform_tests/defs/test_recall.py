"""An index that misses what is near blocks the release; one that compares everything is not measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import dagster as dg
import numpy as np
import pytest

from marketing_platform.definitions import build_definitions
from marketing_platform.gates import load_suites
from marketing_platform.stores.protocols import Neighbour, VectorReader, Vectors
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation

pytestmark = pytest.mark.long


@dataclass
class Index:
    """Vectors behind an approximate index that finds all but the nearest `missed` records."""

    vectors: Vectors
    missed: int

    def __getattr__(self, name: str) -> object:
        return getattr(self.vectors, name)

    def exact(self, name: str) -> bool:
        return False

    def open(self, name: str) -> VectorReader:
        return Reader(self.vectors.open(name), self.missed)


@dataclass
class Reader:
    reader: VectorReader
    missed: int

    def search(self, vectors: np.ndarray, *, limit: int) -> list[list[Neighbour]]:
        found = self.reader.search(vectors, limit=limit + self.missed)
        return [hits[self.missed :] for hits in found]

    def close(self) -> None:
        self.reader.close()


@pytest.mark.parametrize(("missed", "passes"), [(0, True), (5, False)])
def test_recall_is_measured_shown_and_blocks(
    installation: Installation,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    missed: int,
    passes: bool,
) -> None:
    # Another version of the code, so that the collection is not kept as it was measured.
    monkeypatch.setattr("marketing_platform.defs.io_managers.reuse.package_version", lambda: "another")
    stores = open_stores(installation.settings)
    indexed = replace(stores, vectors=Index(stores.vectors, missed))
    job = build_definitions(installation.settings, stores=indexed).resolve_implicit_global_asset_job_def()
    run = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey("message_embeddings"), dg.AssetKey("release")],
        raise_on_error=False,
    )
    (check,) = run.get_asset_check_evaluations()
    assert (check.check_name, check.passed, run.success) == ("recall", passes, passes)
    materialization = instance.get_latest_materialization_event(dg.AssetKey("message_embeddings"))
    assert materialization is not None
    assert materialization.asset_materialization is not None
    metadata = materialization.asset_materialization.metadata
    share = float(str(metadata["recall_at_10"].value))
    assert (share >= 0.99) == passes
    assert "against comparing every vector" in str(metadata["recall_measured"].value)


def test_an_exact_search_is_not_measured(installation: Installation, instance: dg.DagsterInstance) -> None:
    materialization = instance.get_latest_materialization_event(dg.AssetKey("message_embeddings"))
    assert materialization is not None
    assert materialization.asset_materialization is not None
    metadata = materialization.asset_materialization.metadata
    assert metadata["recall_at_10"].value == 1.0
    assert "exact by design" in str(metadata["recall_measured"].value)


def test_the_threshold_is_declared_beside_the_suites(installation: Installation) -> None:
    measures = load_suites(installation.settings.expectations_dir).measures
    (measure,) = (measure for measure in measures if measure.asset == "message_embeddings")
    assert (measure.check, measure.at_least) == ("recall", 0.99)
    assert [measure.passed(value) for value in (0.99, 0.98, float("nan"), None)] == [
        True,
        False,
        False,
        False,
    ]
