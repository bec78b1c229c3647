"""HEAD tells what GET would, as load balancers ask."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from serving.observability import exposition


@pytest.mark.parametrize(
    "url", ["/health/live", "/api/v1/users/u-1/recommendations", "/analytics/daily-activity", "/nothing"]
)
def test_it_has_the_head_of_get(client: TestClient, url: str) -> None:
    asked, head = client.get(url), client.head(url)
    assert head.status_code == asked.status_code
    for name in ("ETag", "X-Release-Id", "Content-Type", "Content-Length"):
        assert head.headers.get(name) == asked.headers.get(name)


def test_what_only_writes_has_none(client: TestClient) -> None:
    refused = client.head("/api/v1/users/u-1/data")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
    assert client.post("/health/live").headers["Allow"] == "GET, HEAD"


def test_it_is_counted_by_its_route(client: TestClient) -> None:
    client.head("/analytics/daily-activity")
    counted = exposition.render("")[0].decode()
    assert 'method="HEAD",route="/analytics/daily-activity"' in counted or (
        'route="/analytics/daily-activity",method="HEAD"' in counted
    )
