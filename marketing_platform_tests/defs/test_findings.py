"""An unusual day warns with its date, in the graph and in the release, and stops nothing."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from marketing_platform.defs.execution import open_instance
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.conftest import PROJECT

pytestmark = pytest.mark.long

LAST = date(2026, 6, 30)
PLANTED = LAST - timedelta(days=10)


def export() -> str:
    """Lines of one more account until the last day of the sample: at one day ten times what is usual."""
    rng = np.random.default_rng(1)
    lines = ["date,platform,account,campaign,country,device,spend,clicks,impressions,conversions"]
    for ago in range(130, -1, -1):
        day = LAST - timedelta(days=ago)
        spend = 100 * rng.normal(1, 0.1) * (10 if day == PLANTED else 1)
        lines.append(f"{day},Pinterest,P,Always_On,DE,Mobile,{spend:.2f},50,1000,5")
    return "\n".join(lines) + "\n"


def test_an_unusual_day_warns_and_the_release_goes_on(installation: Installation, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "kpis", tmp_path / "kpis")
    workspace = (tmp_path / "kpis" / "workspace.yaml").read_text()
    (tmp_path / "kpis" / "workspace.yaml").write_text(workspace.replace("rates: {}", "rates: {EUR: 1.1}"))
    settings = installation.settings.model_copy(update={"kpis_dir": tmp_path / "kpis"})
    changed = Installation(settings)
    before = changed.shelf.current()
    changed.land("ads_spend/ads_spend.csv", export())
    changed.run()
    assert changed.shelf.current() != before
    manifest = changed.release()
    (check,) = [one for one in manifest.checks if one.asset == "kpi_anomalies"]
    assert (check.check, check.blocking, check.passed) == ("unusual_days", False, False)
    found = changed.command("kpis", "anomalies", "spend", "--json").document["anomalies"]
    assert ("Pinterest", PLANTED.isoformat()) in [(one["member"], one["day"]) for one in found]
    with open_instance(settings) as instance:
        key = dg.AssetCheckKey(dg.AssetKey("kpi_anomalies"), "unusual_days")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        assert record.event is not None
        evaluation = record.event.asset_check_evaluation
        materialized = instance.get_latest_materialization_event(dg.AssetKey("kpi_anomalies"))
    assert evaluation is not None
    assert (evaluation.severity, evaluation.passed) == (dg.AssetCheckSeverity.WARN, False)
    assert f"| {PLANTED} | spend | Pinterest |" in str(evaluation.metadata["unusual"].value)
    assert materialized is not None
    assert materialized.asset_materialization is not None
    shown = materialized.asset_materialization.metadata
    assert str(shown["plot spend of Pinterest"].value).startswith("![spend of Pinterest")
    forecasts = changed.command("kpis", "forecasts", "--json").document["forecasts"]
    assert {one["kpi"] for one in forecasts} == {"spend", "conversions", "revenue"}
    assert forecasts[0]["days"][0]["day"] == LAST.isoformat()  # which may be half a day yet
