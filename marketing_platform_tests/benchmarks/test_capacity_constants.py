"""What the capacity model is fed with is what a run makes today."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.capacity_constants import OF_USERS, STORES, TEXTS, measured
from marketing_platform.definitions import build_definitions
from marketing_platform.defs.jobs import PUBLISH
from marketing_platform.settings import Settings


def test_stages_that_go_with_users_are_steps(tmp_path: Path) -> None:
    job = build_definitions(Settings(data_dir=tmp_path)).resolve_job_def(PUBLISH)
    assert {*OF_USERS, TEXTS} <= {node.name for node in job.get_subset().graph.nodes}


@pytest.mark.long
def test_constants_are_measured_from_end_to_end(tmp_path: Path) -> None:
    constants = measured(tmp_path, [1_000, 2_000])
    assert constants.bytes.keys() == STORES.keys()
    assert min(constants.bytes.values()) > 0
    assert {"validate_batches", "release", TEXTS, "product_lists"} <= constants.full.keys()
    assert constants.full.keys() == constants.delta.keys()
    assert all(question.cpu_ms > 0 for question in constants.api.questions.values())
    assert [load.failed for load in constants.api.loads] == [0, 0, 0]
    assert constants.bigquery["events"] > 0
