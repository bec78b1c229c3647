"""A golden question whose answer leaves its bounds blocks the release, and the graph shows which."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from marketing_platform.definitions import build_definitions
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.conftest import PROJECT


@pytest.mark.slow
@pytest.mark.parametrize(("least", "passes"), [(0, True), (1e12, False)], ids=["holds", "does not"])
def test_golden_questions_are_judged_shown_and_block(
    installation: Installation, instance: dg.DagsterInstance, tmp_path: Path, least: float, passes: bool
) -> None:
    shutil.copytree(PROJECT / "kpis", tmp_path, dirs_exist_ok=True)
    golden = f'questions:\n  - {{question: "engagement of all time", at_least: {least}}}\n'
    (tmp_path / "golden.yaml").write_text(golden, encoding="utf-8")
    settings = installation.settings.model_copy(update={"kpis_dir": tmp_path})
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    run = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey("analytics_report"), dg.AssetKey("release")],
        raise_on_error=False,
    )
    (check,) = run.get_asset_check_evaluations()
    assert (check.check_name, check.passed, run.success) == ("golden_questions", passes, passes)
    materialized = instance.get_latest_materialization_event(dg.AssetKey("analytics_report"))
    assert materialized is not None
    assert materialized.asset_materialization is not None
    shown = str(materialized.asset_materialization.metadata["golden_questions"].value)
    assert f"| {'yes' if passes else '**no**'} | engagement of all time |" in shown
