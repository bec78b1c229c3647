"""`/metrics` counts what happens, in labels that nobody outside can multiply."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid

import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from marketing_platform_tests.serving.conftest import Platform, await_until
from marketing_platform_tests.serving.figures import Figures
from serving.observability import exposition, metrics

_REQUESTS = "marketing_api_requests_total"
_SECONDS = "marketing_api_request_duration_seconds"


def scrape(client: TestClient) -> Figures:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return Figures(answer.text)


def _process() -> Figures:
    return Figures(exposition.render("")[0].decode())


# Stands first: `client` of the others counts its own release in this process.
@pytest.mark.slow
def test_it_says_which_release_serves_and_how_old_that_is(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    with fresh_platform.client() as client:
        before = scrape(client)
        health = client.get("/api/v1/health").json()
        assert abs(before["marketing_api_release_age_seconds"] - health["age_seconds"]) < 5
        assert before.of("marketing_api_release_info", release_id="r-gen1") == 1
        assert before["marketing_api_release_behind"] == 0
        fresh_platform.publish(2)
        await_until(lambda: client.get("/api/v1/health").json()["release_id"] == "r-gen2")
        after = scrape(client)
        assert [*after.labels("marketing_api_release_info")] == [{"release_id": "r-gen2"}]
        opens = "marketing_api_release_opens_total"
        assert after.of(opens, outcome="swapped") == before.of(opens, outcome="swapped") + 1
        broken = fresh_platform.build(3)
        fresh_platform.stores.answers.drop(broken.answers["recommendations"].name)
        fresh_platform.shelf.publish(broken, expected="r-gen2")
        await_until(lambda: scrape(client)["marketing_api_release_behind"] == 1)
        assert scrape(client).of(opens, outcome="failed") > before.of(opens, outcome="failed")
    assert [*_process().labels("marketing_api_release_info")] == [], "an API that ended serves nothing"


def test_requests_are_counted_and_timed_by_template(client: TestClient) -> None:
    before = scrape(client)
    for user in ("u-1", "u-2", "nobody"):
        client.get(f"/api/v1/users/{user}/recommendations")
    client.post("/api/v1/users/u-1/recommendations")
    after = scrape(client)
    route = "/api/v1/users/{user_id}/recommendations"

    def more(name: str, **labels: str) -> float:
        return after.of(name, route=route, **labels) - before.of(name, route=route, **labels)

    assert more(_REQUESTS, method="GET", status="200") == 2
    assert more(_REQUESTS, method="GET", status="404") == 1
    assert more(_REQUESTS, method="POST", status="405") == 1
    assert more(f"{_SECONDS}_count", method="GET") == 3
    assert more(f"{_SECONDS}_bucket", method="GET", le="+Inf") == 3
    assert 0 < more(f"{_SECONDS}_sum", method="GET") < 30
    assert more(f"{_SECONDS}_bucket", method="GET", le="10.0") == 3


def test_nothing_that_is_sent_becomes_a_label(client: TestClient) -> None:
    client.get("/nothing/at/all")
    client.request("BREW", "/")
    client.get("/graph/user-campaigns?user_id=u-1")
    before = client.get("/metrics").text
    for _ in range(30):
        made_up = uuid.uuid4().hex
        client.get(f"/{made_up}")
        client.get("/recommendations/u-1", headers={"X-Request-Id": made_up, "User-Agent": made_up})
        client.get(f"/recommendations/{made_up}?message={made_up}")
        client.request(made_up[:8].upper(), "/")
    client.get("/graph/user-campaigns?user_id=somebody-else")
    text = client.get("/metrics").text
    known = set(client.get("/openapi.json").json()["paths"])
    # Other tests of this process had routes of their own.
    known |= {"unmatched", *(labels["route"] for labels in Figures(before).labels(_REQUESTS))}
    figures = Figures(text)
    assert {labels["route"] for labels in figures.labels(_REQUESTS)} <= known
    assert {labels["method"] for labels in figures.labels(_REQUESTS)} <= {*metrics.METHODS, metrics.OTHER}
    assert "somebody" not in text
    # A status that a route had not answered before may come in; what was sent multiplies nothing.
    assert len(text.splitlines()) <= len(before.splitlines()) + 40


def test_the_one_who_asks_is_in_flight(client: TestClient) -> None:
    assert scrape(client)["marketing_api_requests_in_flight"] == 1


def test_threads_of_areas_are_counted(client: TestClient) -> None:
    client.get("/graph/user-campaigns?user_id=u-1")
    figures = scrape(client)
    assert {"area": "graph"} in [*figures.labels("marketing_api_lookup_threads_busy")]
    assert figures.of("marketing_api_lookups_queued", area="graph") == 0


def test_every_figure_says_what_it_is(client: TestClient) -> None:
    for family in scrape(client).families:
        assert family.documentation, family.name
        assert family.type != "unknown", family.name


def test_openmetrics_for_those_who_ask_for_it(client: TestClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(answer.text)} >= {"marketing_api_requests"}


# Two workers count, one of them ends, and whoever is asked then answers for both.
_WORKERS = """
import json, subprocess, sys
from serving.observability.exposition import shared_by_workers
worker = '''
import sys
from serving.observability import exposition, metrics
metrics.answered("/a", "GET", 200, 0.002)
metrics.answered("/a", "GET", 200, 0.002)
metrics.IN_FLIGHT.set(3)
metrics.RELEASE_INFO.labels("r-1").set(0)
metrics.RELEASE_INFO.labels("r-2").set(1)
print("counted", flush=True)
sys.stdin.readline()
print(exposition.render("")[0].decode())
'''
with shared_by_workers():
    start = lambda: subprocess.Popen([sys.executable, "-c", worker], stdin=-1, stdout=-1, text=True)
    first, second = start(), start()
    first.stdout.readline(), second.stdout.readline()
    first.kill(), first.wait()
    print(json.dumps({"text": second.communicate("go\\n")[0], "pid": second.pid}))
"""


def test_workers_share_what_they_count() -> None:
    done = subprocess.run([sys.executable, "-c", _WORKERS], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    figures = Figures(told["text"])
    assert figures.of(_REQUESTS, route="/a", method="GET", status="200") == 4
    assert figures.of(f"{_SECONDS}_count", route="/a") == 4
    assert figures["marketing_api_requests_in_flight"] == 3, "a worker that is gone has none"
    assert [*figures.labels("marketing_api_release_info")] == [{"release_id": "r-2"}]
    assert figures.of("process_resident_memory_bytes", pid=str(told["pid"])) > 0
