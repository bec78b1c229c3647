"""Unusual days and forecasts: in words, in charts, and on pages that ask a real API."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashboard import charts, findings
from marketing_platform.analytics.kpis.reading import ANOMALIES, FORECASTS
from marketing_platform.releases.manifest import ReportEntry
from marketing_platform_tests.dashboard.conftest import asking, listening, platform_in
from marketing_platform_tests.dashboard.pages import opened, text
from serving.kpis.findings_schemas import anomalies_example, forecasts_example

DAY = "2026-11-17"  # one of the last seven days of the release


def finding(**other: Any) -> dict[str, Any]:
    (known,) = anomalies_example()["anomalies"]
    return {
        **known,
        "dimension": None,
        "member": None,
        "day": DAY,
        "value": 900,
        "low": 50,
        "high": 150,
        **other,
    }


WATCHED = anomalies_example()["watched"]
FORECAST = {key: value for key, value in forecasts_example().items() if key in ("forecasts", "declined")}


@contextmanager
def released(
    folder: Path, anomalies: dict[str, Any] | None, forecasts: dict[str, Any] | None
) -> Generator[None]:
    """The pages lead to a release with these findings; None is one older than such."""
    platform = platform_in(folder)
    manifest = platform.build(1)
    found = {ANOMALIES: anomalies, FORECASTS: forecasts}
    kept = {name: entry for name, entry in manifest.reports.items() if name not in found}
    for name, document in found.items():
        if document is not None:
            kept[name] = ReportEntry(name=f"{name}__other")
            platform.stores.reports.write(kept[name].name, document)
    platform.shelf.publish(manifest.model_copy(update={"reports": kept}), expected=None)
    with listening(platform.app()) as url, asking(platform, url):
        yield


@pytest.mark.slow
def test_unusual_days_are_told_and_marked(tmp_path: Path) -> None:
    of_meta = finding(dimension="platform", member="Meta", day="2026-11-18")
    unjudged = {**WATCHED[0], "kpi": "sales", "reason": "there is no data"}
    document = {"anomalies": [of_meta, finding()], "watched": [*WATCHED, unjudged]}
    with released(tmp_path, document, None):
        page = opened("overview", period="Last 7 days")
        shown = text(page).replace("\\", "")
        assert "**17 Nov 2026**: Spend was $900.00; $50.00 to $150.00 was expected." in shown
        assert "**18 Nov 2026**: Spend on Meta was $900.00" in shown
        assert "Not looked at for unusual days: Sales: there is no data." in shown
        assert "Rings mark unusual days." in shown
        ringed = opened("overview", period="Last 7 days", kpi="ROAS")
        assert "Rings" not in text(ringed)
        before = opened("overview", period="Days of my own", **{"from": "2026-10-01", "to": "2026-10-05"})
        assert "Spend was" not in text(before)


def test_many_unusual_days_are_folded(tmp_path: Path) -> None:
    many = [finding(day=f"2026-11-{day}") for day in range(20, 14, -1)]
    with released(tmp_path, {"anomalies": many, "watched": WATCHED}, None):
        page = opened("overview")
        assert page.expander[0].label == "3 more"


@pytest.mark.slow
def test_no_unusual_day_is_said_calmly(tmp_path: Path) -> None:
    lately = {**WATCHED[0], "first": "2026-10-24", "last": "2026-11-20"}
    with released(tmp_path, {"anomalies": [], "watched": [lately]}, None):
        page = opened("overview")
        assert "Nothing unusual in these days (looked at: 24 Oct – 20 Nov 2026)" in text(page)
        assert "Unusual days" not in [header.value for header in page.header]
        assert not page.warning
        before = opened("overview", period="Days of my own", **{"from": "2026-10-01", "to": "2026-10-05"})
        assert "Nothing unusual" not in text(before)  # those days were not looked at


def test_a_forecast_is_drawn_with_how_far_to_trust_it(tmp_path: Path) -> None:
    (made,) = FORECAST["forecasts"]
    learnt = {**made["learnt_from"], "to": "2026-11-20"}
    ahead = [{**made["days"][0], "day": f"2026-11-{day}"} for day in (21, 22)]
    document = {**FORECAST, "forecasts": [{**made, "learnt_from": learnt, "days": ahead}]}
    with released(tmp_path, None, document):
        page = opened("forecasts")
        shown = text(page).replace("\\", "")
        # 4 x (10 + ago) a day: 40 and 44 on the two days before.
        assert "**About $18,665** is expected for 21–22 Nov 2026, after $84.00 in the 2 days before." in shown
        assert "made on 8 earlier days, were off by 12 % on a typical day, and 78 of 100 days lay" in shown
        assert "Repeating the last week would have been off by 19 %." in shown
        assert "There is no forecast of Sales: there is no data." in shown


def test_a_forecast_that_repeats_the_last_week_says_so() -> None:
    (made,) = FORECAST["forecasts"]
    assert "nothing cleverer did better" in findings.record({**made, "model": "seasonal naive"})


def test_nothing_declared_to_be_forecast(tmp_path: Path) -> None:
    with released(tmp_path, None, {"forecasts": [], "declined": []}):
        assert "No forecasts are declared" in text(opened("forecasts"))


@pytest.mark.slow
def test_a_release_older_than_findings_promises_them_with_the_next(tmp_path: Path) -> None:
    with released(tmp_path, None, None):
        overview = opened("overview")
        assert len(overview.metric) == 5
        assert "Unusual days will be pointed out from the next release on." in text(overview)
        forecasts = opened("forecasts")
        assert "This comes with the next release" in text(forecasts)
        assert not forecasts.button


@pytest.mark.parametrize(
    ("only", "marked"),
    [({}, 1), ({"platform": ["Meta"]}, 1), ({"platform": ["Meta", "Google"]}, 0), ({"country": ["DE"]}, 0)],
)
def test_a_trend_marks_what_is_about_what_it_shows(only: dict[str, list[str]], marked: int) -> None:
    found = [finding(), finding(dimension="platform", member="Meta"), finding(kpi="cac")]
    assert len(findings.marks(found, "spend", only)) == marked


def test_charts_say_what_they_show() -> None:
    (made,) = FORECAST["forecasts"]
    chart = charts.forecast(made, "Spend", "money", [("2026-06-29", 9_000.0)])
    assert "likely $7,460 to $11,205" in chart.words
    assert "80 of 100 days" in chart.words
