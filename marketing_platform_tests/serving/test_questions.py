"""`POST /api/v1/questions`: answers from the release, refusals as answers, and what is no question."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.analytics.kpis.reading import KPI_TABLES
from marketing_platform_tests.callers import bearer, new_key
from marketing_platform_tests.serving.conftest import Platform

URL = "/api/v1/questions"


def put(client: TestClient, question: str, **given: Any) -> dict[str, Any]:
    response = client.post(URL, json={"question": question, **given})
    assert response.status_code == 200, response.text
    assert response.json()["release_id"] == response.headers["X-Release-Id"]
    return response.json()


def test_a_question_is_answered_from_the_release(client: TestClient) -> None:
    answer = put(client, "engagement by channel yesterday", today="2026-11-21")
    assert answer["declined"] is False
    assert answer["interpretation"] == "Engagement by channel, 2026-11-20"
    assert [row["channel"] for row in answer["rows"]] == ["app", "email"]
    assert answer["sql"][0]["parameters"]["first"] == "2026-11-20"
    assert answer["chart"]["mark"] == "bar"
    assert answer["sentence"].startswith("Engagement by channel, highest first: ")


def test_answers_are_as_the_description_says(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    success = described["paths"][URL]["post"]["responses"]["200"]["content"]["application/json"]
    schema = {**success["schema"], "components": described["components"]}
    answers = [success["example"], put(client, "profit"), put(client, "why did engagement rise this week")]
    for answer in [*answers, put(client, "weekly engagement by channel vs previous period")]:
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(answer)


def test_a_question_can_be_about_the_one_before(client: TestClient) -> None:
    before = put(client, "engagement by channel today")
    after = put(client, "and by campaign?", context=before["intent"])
    assert after["intent"]["by"] == ["campaign"]
    assert after["period"] == before["period"]


def test_a_refusal_is_an_answer(client: TestClient) -> None:
    answer = put(client, "what is our profit?")
    assert (answer["declined"], answer["intent"], answer["rows"]) == (True, None, [])
    assert "“profit”" in answer["reason"]
    assert answer["suggestions"]
    assert put(client, "orders last month")["reason"] == "there is no data of that in the release yet"


def test_an_answer_to_a_post_is_not_told_by_its_address(client: TestClient) -> None:
    response = client.post(URL, json={"question": "engagement today"}, headers={"If-None-Match": "*"})
    assert response.status_code == 200
    assert "ETag" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": "spend " * 500},
        {"question": "spend", "sql": "SELECT 1"},
        {"question": "spend", "today": "soon"},
        {"question": "spend", "context": {"metrics": []}},
        {"question": ["spend"]},
    ],
    ids=range(7),
)
def test_what_is_no_question_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    response = client.post(URL, json=body)
    assert response.status_code == 422
    assert response.json()["error_code"] == "invalid_parameter"


def test_it_needs_the_scope_of_figures(client: TestClient, platform: Platform) -> None:
    key = new_key(platform.settings, [Scope.READ_RECOMMENDATIONS])
    response = client.post(URL, json={"question": "engagement today"}, headers=bearer(key))
    assert (response.status_code, response.json()["error_code"]) == (403, "forbidden_scope")


def test_a_release_older_than_kpis_opens_and_says_so(fresh_platform: Platform) -> None:
    manifest = fresh_platform.build(1)
    older = {name: entry for name, entry in manifest.tables.items() if name not in KPI_TABLES}
    fresh_platform.shelf.publish(manifest.model_copy(update={"tables": older}), expected=None)
    with fresh_platform.client() as client:
        assert client.get("/analytics/daily-activity").status_code == 200
        response = client.post(URL, json={"question": "engagement today"})
    assert (response.status_code, response.json()["error_code"]) == (503, "not_ready")
