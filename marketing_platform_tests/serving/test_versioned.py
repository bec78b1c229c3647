"""Routes with two addresses answer alike at both."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from serving.observability import exposition


@pytest.mark.parametrize(
    "url",
    [
        "/recommendations/similar-users?user_id=u-1",
        "/recommendations/u-1?limit=2",
        "/recommendations/nobody",
        "/graph/user-campaigns?user_id=u-1",
        "/analytics/user-engagement?limit=3",
        "/analytics/campaign-performance",
        "/analytics/daily-activity?limit=0",
    ],
)
def test_both_addresses_answer_alike(client: TestClient, url: str) -> None:
    own, versioned = client.get(url), client.get(f"/api/v1{url}")
    assert versioned.status_code == own.status_code
    told = [{**answer.json(), "request_id": None, "timestamp": None} for answer in (own, versioned)]
    assert told[0] == told[1]
    assert versioned.headers.get("ETag") == own.headers.get("ETag")


def test_each_address_is_a_route(client: TestClient) -> None:
    refused = client.post("/api/v1/graph/user-campaigns")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert 'route="/api/v1/graph/user-campaigns"' in exposition.render("")[0].decode()
