"""Figures over HTTP: what is left out comes from the data, what cannot be answered says so."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.analytics.kpis.reading import KPI_TABLES
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.serving.conftest import Platform
from serving.remembered import Remembered

URL = "/api/v1/kpis"


def test_the_last_days_of_data_are_compared_with_those_before(client: TestClient) -> None:
    answer = client.get(URL, params={"kpi": ["cac", "clicks"]}).json()
    assert answer["period"] == {"from": "2026-10-22", "to": "2026-11-20", "days": 30}
    assert answer["against"] == {"from": "2026-09-22", "to": "2026-10-21", "days": 30}
    clicks = answer["total"]["clicks"]
    assert (clicks["value"], clicks["before"], clicks["change"]) == (1_200, 1_200, 0)
    # Spend falls by 1 a day and line: the last 30 days cost 10 to 39 a line, those before 40 to 69.
    cac = answer["total"]["cac"]
    spent, before = 4 * sum(range(10, 40)), 4 * sum(range(40, 70))
    assert (cac["value"], cac["before"]) == (spent / 120, before / 120)
    assert (cac["better"], answer["currency"], answer["missing_days"]) == (True, "USD", [])


def test_lines_are_filtered_ranked_and_cut(client: TestClient) -> None:
    query = {"kpi": "cac", "by": ["country", "campaign"], "order_by": "cac", "order": "worst"}
    answer = client.get(URL, params=query).json()
    assert [line["key"]["country"] for line in answer["lines"]] == ["DE", "DE", "AT", "AT"]
    assert answer["lines"][2]["values"]["cac"]["reason"] == "there were no conversions"
    only = client.get(
        URL, params={**query, "filter": ["country=AT", "campaign!=c-1-gen1"], "limit": 1}
    ).json()
    assert [line["key"] for line in only["lines"]] == [{"country": "AT", "campaign": "c-2-gen1"}]
    assert only["notes"] == ["cut after line 1; ask with a larger limit or a filter"]


def test_kpis_left_out_are_all_that_have_the_dimensions(client: TestClient) -> None:
    answer = client.get(URL, params={"by": "channel", "against": "none"}).json()
    assert [kpi["kpi"] for kpi in answer["kpis"]] == ["engagement"]
    assert answer["against"] is None
    assert answer["lines"]


def test_given_days_are_compared_with_given_days(client: TestClient) -> None:
    query = {"kpi": "spend", "from": "2026-11-01", "to": "2026-11-02", "against": "2026-10-01..2026-10-05"}
    answer = client.get(URL, params=query).json()
    assert (answer["period"]["days"], answer["against"]["days"]) == (2, 5)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"kpi": "profit"}, "invalid_parameter"),
        ({"kpi": "cac", "by": "weather"}, "invalid_parameter"),
        ({"kpi": "cac", "filter": "weather=rain"}, "invalid_parameter"),
        ({"kpi": "aov", "by": "campaign"}, "unanswerable"),
        ({"kpi": "spend", "against": "2026-05-31..2026-05-01"}, "unanswerable"),
        ({"kpi": "spend", "against": "yesterday"}, "invalid_parameter"),
        ({"kpi": "spend", "filter": "country"}, "invalid_parameter"),
        ({"kpi": "spend", "filter": "country=\x00"}, "invalid_parameter"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "invalid_parameter"),
        ({"limit": 0}, "invalid_parameter"),
    ],
    ids=["kpi", "by", "filtered", "dimension", "days", "word", "filter", "nul", "backwards", "limit"],
)
def test_what_cannot_be_answered_is_refused(client: TestClient, query: dict[str, Any], code: str) -> None:
    refused = client.get(URL, params=query)
    assert (refused.status_code, refused.json()["error_code"]) == (422, code)
    assert refused.json()["details"]
    assert "profit" not in refused.text
    assert "weather" not in refused.text


def test_names_that_would_be_sql_are_only_names(client: TestClient) -> None:
    hostile = "DE' OR '1'='1"
    answer = client.get(URL, params={"kpi": "spend", "filter": f"country={hostile}"}).json()
    assert answer["total"]["spend"]["value"] is None
    assert all(hostile not in query["sql"] for query in answer["queries"])


def test_a_release_older_than_kpis_serves_what_it_has(fresh_platform: Platform) -> None:
    made = fresh_platform.build(1)
    tables = {name: entry for name, entry in made.tables.items() if name not in KPI_TABLES}
    fresh_platform.shelf.publish(made.model_copy(update={"tables": tables}), expected=None)
    with fresh_platform.client() as client:
        assert client.get("/analytics/daily-activity").status_code == 200
        refused = client.get(URL)
    assert (refused.status_code, refused.json()["error_code"]) == (503, "not_ready")


def test_it_takes_the_scope_for_figures(platform: Platform, client: TestClient) -> None:
    assert client.get(URL).status_code == 200
    with client_of(platform.settings, platform.app(), [Scope.READ_RECOMMENDATIONS]) as other:
        assert other.get(URL).status_code == 403


def test_equal_questions_at_the_same_time_are_worked_out_once() -> None:
    remembered, started, way = Remembered(), threading.Event(), threading.Event()
    worked: list[str] = []

    def slowly() -> bytes:
        worked.append("slowly")
        started.set()
        way.wait(20)
        return b"answer"

    found: list[bytes] = []
    askers = [threading.Thread(target=lambda: found.append(remembered.body("q", slowly))) for _ in range(5)]
    for asker in askers:
        asker.start()
    started.wait(20)
    way.set()
    for asker in askers:
        asker.join()
    assert (found, worked) == ([b"answer"] * 5, ["slowly"])


def test_what_failed_is_tried_again_and_old_answers_are_forgotten() -> None:
    remembered = Remembered(most_bytes=10)

    def fail() -> bytes:
        raise ValueError("not this time")

    with pytest.raises(ValueError, match="not this time"):
        remembered.body("q", fail)
    assert remembered.body("q", lambda: b"123456") == b"123456"
    assert remembered.body("other", lambda: b"123456") == b"123456"
    assert remembered.body("q", lambda: b"made anew") == b"made anew"
