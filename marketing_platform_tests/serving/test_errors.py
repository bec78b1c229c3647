"""Every way not to answer has the one body, and says nothing that the client sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing_platform_tests.serving.conftest import Logged, Platform, Response
from serving.errors import ERRORS


def error_of(response: Response, status: int, code: str) -> dict[str, Any]:
    """The body of an error that has the right shape, status and code."""
    body = response.json()
    assert (response.status_code, body["error_code"]) == (status, code), response.text
    assert list(body) == ["error_code", "message", "details", "timestamp", "request_id"]
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert body["message"] == ERRORS[code].message
    assert "Traceback" not in response.text
    return body


@pytest.mark.parametrize(
    "url",
    [
        "/recommendations/nobody",
        "/recommendations/nobody/at all",
        "/recommendations/nobody?message=hello",
        "/recommendations/similar-users?user_id=nobody",
        "/api/v1/users/nobody/features",
        "/graph/user-campaigns?user_id=nobody",
        "/analytics/user-engagement?user_id=nobody",
    ],
)
def test_unknown_users(client: TestClient, url: str) -> None:
    body = error_of(client.get(url), 404, "unknown_user")
    assert body["details"] == {"parameter": "user_id"}


def test_unknown_campaign(client: TestClient) -> None:
    error_of(client.get("/analytics/campaign-performance?campaign_id=none"), 404, "unknown_campaign")


@pytest.mark.parametrize("url", ["/", "/nothing", "/recommendations", "/analytics/", "/api/v1/health/x"])
def test_unknown_routes(client: TestClient, url: str) -> None:
    error_of(client.get(url, follow_redirects=False), 404, "unknown_route")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_wrong_methods_name_the_right_one(client: TestClient, method: str) -> None:
    response = client.request(method, "/recommendations/u-1")
    error_of(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/recommendations/similar-users", "user_id"),
        ("/recommendations/similar-users?user_id=", "user_id"),
        ("/recommendations/similar-users?user_id=u-1&limit=0", "limit"),
        ("/recommendations/similar-users?user_id=u-1&limit=NaN", "limit"),
        ("/recommendations/u-1?limit=1e999", "limit"),
        (f"/recommendations/u-1?limit={'9' * 5000}", "limit"),
        (f"/recommendations/{'x' * 257}", "user_id"),
        ("/recommendations/u-1%00", "user_id"),
        ("/recommendations/u-1?message=", "message"),
        ("/recommendations/u-1?message=%20%09", "message"),
        ("/recommendations/u-1?message=a%00b", "message"),
        (f"/recommendations/u-1?message={'x' * 4001}", "message"),
        ("/graph/user-campaigns?user_id=u-1&limit=100000", "limit"),
        ("/analytics/user-engagement?limit=501", "limit"),
        ("/analytics/user-engagement?offset=-1", "offset"),
        ("/analytics/user-engagement?sort=user_id;DROP TABLE users", "sort"),
        ("/analytics/user-engagement?order=sideways", "order"),
        ("/analytics/daily-activity?from=yesterday", "from"),
        ("/analytics/daily-activity?from=NaN", "from"),
        ("/analytics/daily-activity?from=1e999", "from"),
        ("/analytics/daily-activity?from=2026-02-30", "from"),
        ("/analytics/daily-activity?from=2026-11-21&to=2026-11-20", "to"),
    ],
)
def test_bad_parameters_are_named_and_not_repeated(client: TestClient, url: str, name: str) -> None:
    response = client.get(url)
    problems = error_of(response, 422, "invalid_parameter")["details"]["problems"]
    assert [problem["name"] for problem in problems] == [name]
    for sent in ("DROP TABLE", "sideways", "yesterday", "99999999", "xxxxxxxx"):
        assert sent not in response.text


@pytest.mark.parametrize(
    "raw",
    [
        "%ED%A0%80",
        "%FF%FE",
        "%C0%80",
        "%F0%9F%92%A9",
        "..%2F..%2Fetc%2Fpasswd",
        "'%20OR%201=1--",
        "{}",
        "%25s",
    ],
)
def test_hostile_ids_are_unknown_or_refused(client: TestClient, raw: str) -> None:
    for url in (
        f"/recommendations/{raw}",
        f"/recommendations/similar-users?user_id={raw}",
        f"/graph/user-campaigns?user_id={raw}",
        f"/analytics/user-engagement?user_id={raw}",
        f"/analytics/campaign-performance?campaign_id={raw}",
        f"/recommendations/{raw}?message={raw}",
    ):
        assert client.get(url).status_code in {404, 422}, url


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), st.text(max_size=10))
def test_no_text_crashes_it(client: TestClient, text: str, number: str) -> None:
    encoded = quote(text.encode("utf-8", "surrogatepass"))
    for url in (
        f"/recommendations/u-1?limit={quote(number.encode('utf-8', 'surrogatepass'))}",
        f"/graph/user-campaigns?user_id={encoded}",
        f"/analytics/user-engagement?user_id={encoded}",
        f"/analytics/daily-activity?channel={encoded}&from={encoded}",
        f"/recommendations/u-1?message={encoded}",
    ):
        assert client.get(url).status_code in {200, 404, 422}, url


def test_a_crash_is_a_500_whose_story_is_in_the_log(fresh_platform: Platform, logged: Logged) -> None:
    app: FastAPI = fresh_platform.app()

    @app.get("/crash")
    def crash() -> None:
        raise ZeroDivisionError("secret of the house")

    with fresh_platform.client(app) as client:
        response = client.get("/crash")
    body = error_of(response, 500, "internal_error")
    assert "secret" not in response.text
    crashes = [line for line in logged if line["event"] == "crash"]
    assert [(line["request_id"], line["exc_info"]) for line in crashes] == [(body["request_id"], True)]


def test_the_log_has_a_line_per_request_and_no_personal_data(client: TestClient, logged: Logged) -> None:
    client.get("/recommendations/u-1?message=my+secret")
    line = logged[-1]
    assert (line["event"], line["method"], line["status"]) == ("request", "GET", 200)
    assert (line["route"], line["release_id"]) == ("/recommendations/{user_id}", "r-gen1")
    assert "u-1" not in str(line)
    assert "secret" not in str(line)


def test_the_table_has_every_status_that_the_api_may_answer() -> None:
    own = {400, 404, 405, 406, 408, 409, 413, 414, 415, 422, 429, 431, 500, 503, 504}
    assert own <= {kind.status for kind in ERRORS.values()}
    assert all(kind.retry_after for kind in ERRORS.values() if kind.status in {429, 503})


@pytest.mark.slow
def test_probes_tell_life_from_readiness(fresh_platform: Platform) -> None:
    with TestClient(fresh_platform.app()) as client:
        for prefix in ("", "/api/v1"):
            assert client.get(f"{prefix}/health/live").json() == {"status": "alive"}
            error_of(client.get(f"{prefix}/health/ready"), 503, "no_release")
    fresh_platform.publish(1)
    with TestClient(fresh_platform.app()) as client:
        assert client.get("/health/ready").json()["release_id"] == "r-gen1"


def test_without_a_release_everything_says_when_to_come_back(fresh_platform: Platform) -> None:
    with fresh_platform.client() as client:
        for url in ("/recommendations/u-1", "/analytics/daily-activity", "/graph/user-campaigns?user_id=u-1"):
            response = client.get(url)
            error_of(response, 503, "no_release")
            assert response.headers["Retry-After"] == "2"
        error_of(client.get("/api/v1/health"), 503, "no_release")
