"""Experiments through the graph: results in the release, checks that warn, users who stay in their arm."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from marketing_platform.experiments.assigning import Assignment, Experiments
from marketing_platform.experiments.released import ARMS, DAYS, RESULTS, open_experiments
from marketing_platform.ingestion.exposures import Exposure, land_exposures
from marketing_platform.sample.list_test import ARMS as SAMPLE_ARMS
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.conftest import PROJECT

pytestmark = pytest.mark.long

JUNE = date(2026, 6, 10)


def test_weights_that_change_move_nobody_and_warn_of_sizes(
    installation: Installation, tmp_path: Path
) -> None:
    """The sample's test was drawn one to one; now one to nine is declared, and a user sees both arms."""
    stores, before = open_stores(installation.settings), installation.release()
    (then,) = stores.reports.read(before.reports[RESULTS].name)["results"]
    assert (then["users"], then["sample_ratio_mismatch"]) == (
        sum(arm["users"] for arm in then["arms"]),
        False,
    )
    assert then["arms"][1]["metrics"][0]["converted"] > 0
    assert before.answers[ARMS].rows == 0
    shutil.copytree(PROJECT / "experiments", tmp_path / "experiments")
    file = tmp_path / "experiments" / "product_list.yaml"
    file.write_text(file.read_text().replace("arm: trending, weight: 1", "arm: trending, weight: 9"))
    changed = Installation(
        installation.settings.model_copy(update={"experiments_dir": tmp_path / "experiments"})
    )
    with ExitStack() as closing:
        experiments = open_experiments(before, stores, closing)
        drawn = {user: arm.variant for user in users() if (arm := assigned(experiments, user))}
    confused, first = next(iter(drawn.items()))
    (other,) = SAMPLE_ARMS.keys() - {first}
    late = datetime(2026, 6, 29, tzinfo=UTC)
    land_exposures(
        stores.objects,
        [Exposure("product_list", other, confused, late, "recommendations", "product", before.release_id)],
        by="test",
    )
    changed.run()
    after = changed.release()
    assert after.release_id != before.release_id
    (now,) = stores.reports.read(after.reports[RESULTS].name)["results"]
    assert (now["users"], now["users_in_two_arms"]) == (then["users"] - 1, 1)
    assert now["sample_ratio_mismatch"]
    passed = {one.check: (one.blocking, one.passed) for one in after.checks if one.asset == RESULTS}
    assert passed == {
        "sample_ratio": (False, False),
        "one_arm_each": (False, False),
        "guardrails": (False, True),
    }
    assert after.tables[DAYS].rows > 0
    assert after.answers[ARMS].rows > 0
    with ExitStack() as closing:
        experiments = open_experiments(after, stores, closing)
        kept = {user: arm.variant for user in drawn if (arm := assigned(experiments, user))}
    assert kept == drawn


def users() -> list[str]:
    return [f"u-{number:06d}" for number in range(1, 41)]


def assigned(experiments: Experiments, user: str) -> Assignment | None:
    return experiments.assign(surface="recommendations", about="product", user_id=user, day=JUNE)
