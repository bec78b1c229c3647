"""The published description is true: examples fit their schemas, and so do real answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from serving.errors import ERRORS

# A question to each route that reads; those of the main job have two addresses.
_AT_BOTH = {
    "/recommendations/similar-users": "?user_id=u-1",
    "/recommendations/{user_id}": "",
    "/graph/user-campaigns": "?user_id=u-1",
    "/analytics/user-engagement": "",
    "/analytics/campaign-performance": "",
    "/analytics/daily-activity": "",
}
REAL = {
    **_AT_BOTH,
    **{f"/api/v1{path}": query for path, query in _AT_BOTH.items()},
    "/api/v1/users/{user_id}/profile-graph": "",
    "/api/v1/users/{user_id}/recommendations": "",
    "/api/v1/users/{user_id}/similar": "",
    "/api/v1/suppressions": "",
    "/api/v1/users/{user_id}/features": "",
    "/api/v1/users/{user_id}/vision-board": "",
    "/api/v1/segments": "",
    "/api/v1/segments/{segment}/users": "",
    "/api/v1/kpis": "?by=country&by=week",
    "/api/v1/recommendations/quality": "?kind=campaign",
    "/api/v1/experiments": "",
    "/api/v1/kpis/anomalies": "",
    "/api/v1/kpis/forecasts": "",
    "/api/v1/health": "",
    "/api/v1/health/live": "",
    "/api/v1/health/ready": "",
    "/api/v1/batches": "",
    "/api/v1/releases": "",
    "/api/v1/releases/current": "",
    "/metrics": "",
}
# Asked in tests of their own: their paths name what only a write makes.
WRITES = {
    ("/api/v1/batches/{batch_id}", "get"),
    ("/api/v1/data/bulk", "post"),
    ("/api/v1/experiments/{name}", "get"),
    ("/api/v1/files", "post"),
    ("/api/v1/hooks/{name}", "post"),
    ("/api/v1/receipts/{receipt_id}", "get"),
    ("/api/v1/unsubscribe/{token}", "get"),
    ("/api/v1/unsubscribe/{token}", "post"),
    ("/api/v1/users/{user_id}/data", "post"),
    ("/api/v1/users/{user_id}/email", "post"),
    ("/api/v1/users/{user_id}/feedback", "post"),
    ("/api/v1/suppressions", "post"),
    ("/api/v1/suppressions/{suppression_id}", "delete"),
    ("/api/v1/users/{user_id}", "delete"),
    ("/api/v1/erasures/{erasure_id}", "get"),
}
ASKS = {
    ("/api/v1/questions", "post"),
    ("/api/v1/recommendations/batch", "post"),
    ("/api/v1/segments/preview", "post"),
}


@pytest.fixture(scope="module")
def openapi(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def responses(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in openapi["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                yield path, status, response


def check(openapi: dict[str, Any], schema: dict[str, Any], document: Any) -> None:
    whole = {**schema, "components": openapi["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(document)


def test_it_lists_exactly_these_routes(openapi: dict[str, Any]) -> None:
    routes = {(path, method) for path, operations in openapi["paths"].items() for method in operations}
    assert routes == {(path, "get") for path in REAL} | WRITES | ASKS


def test_every_response_has_an_example_that_fits(openapi: dict[str, Any]) -> None:
    for path, status, response in responses(openapi):
        if status == "304":
            continue
        for content in response["content"].values():
            examples = [content["example"]] if "example" in content else []
            examples += [example["value"] for example in content.get("examples", {}).values()]
            assert examples, (path, status)
            for example in examples:
                check(openapi, content["schema"], example)


def test_every_error_has_its_status(openapi: dict[str, Any]) -> None:
    for _, status, response in responses(openapi):
        for code in response.get("content", {}).get("application/json", {}).get("examples", {}):
            assert ERRORS[code].status == int(status)


def test_real_answers_fit(client: TestClient, openapi: dict[str, Any]) -> None:
    for path, query in REAL.items():
        if path == "/metrics":
            continue  # no JSON; test_metrics.py reads it with a parser of its own
        answer = client.get(path.format(user_id="u-1", segment="first_two") + query).json()
        schema = openapi["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        check(openapi, schema, answer)


def test_every_operation_and_parameter_is_described(openapi: dict[str, Any]) -> None:
    for operations in openapi["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            assert operation["tags"]
            assert all(each.get("description") for each in operation.get("parameters", [])), operation
