"""How good recommendations are, from the evaluation that the release carries."""

from __future__ import annotations

from fastapi.testclient import TestClient

from marketing_platform_tests.serving.conftest import Platform
from marketing_platform_tests.serving.test_errors import error_of

URL = "/api/v1/recommendations/quality"


def test_recommenders_come_best_first_with_the_release(client: TestClient) -> None:
    answer = client.get(URL, params={"kind": "campaign"}).json()
    assert answer["release_id"] == "r-gen1"
    assert [(line["recommender"], line["ndcg"]) for line in answer["items"]] == [
        ("hybrid", 0.1),
        ("popular", 0.05),
    ]
    assert answer["parts"][0]["part"] == "discovery"
    assert answer["weights"] == {"regular": {"popular": 1.0}}


def test_lists_that_nobody_evaluates_are_refused(client: TestClient) -> None:
    error_of(client.get(URL, params={"kind": "trending"}), 422, "invalid_parameter")


def test_a_release_older_than_evaluations_says_so(fresh_platform: Platform) -> None:
    manifest = fresh_platform.build(1).model_copy(update={"reports": {}})
    fresh_platform.shelf.publish(manifest, expected=None)
    with fresh_platform.client() as client:
        found = error_of(client.get(URL), 503, "not_ready")
        assert found["details"] == {"part": "a release with product_evaluation"}
