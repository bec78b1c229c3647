"""Figures over HTTP: what is left out comes from the data, what cannot be answered says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.analytics.kpis.reading import KPI_TABLES
from marketing_platform.errors import StoreUnavailable
from marketing_platform.stores.protocols import Select, StoredTable, Warehouse
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.serving.conftest import Platform, await_until, encoder
from serving.app import create_app
from serving.remembered import Remembered

pytestmark = pytest.mark.slow

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


class Counting:
    """A warehouse that waits until it may answer, and counts what it is asked about ads by day."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.asked = 0
        self.way = threading.Event()
        self.fails = False

    def open(self, part: str) -> StoredTable:
        return self._warehouse.open(part)

    def query(self, select: Select) -> pa.Table:
        if "FROM kpi_daily" in select.sql:
            self.asked += 1
            self.way.wait(20)
            if self.fails:
                raise StoreUnavailable("the warehouse is gone; start it")
        return self._warehouse.query(select)


@pytest.fixture
def counting(fresh_platform: Platform) -> Counting:
    fresh_platform.publish(1)
    return Counting(fresh_platform.stores.warehouse)


@pytest.fixture
def counted(fresh_platform: Platform, counting: Counting) -> Iterator[TestClient]:
    stores = replace(fresh_platform.stores, warehouse=counting)  # type: ignore[arg-type]
    settings = fresh_platform.settings.model_copy(update={"api_seconds": 2.0})
    app = create_app(settings, stores=stores, encoder=encoder, poll_seconds=0.02)
    with fresh_platform.client(app) as opened:
        yield opened


def test_what_many_ask_at_the_same_time_is_worked_out_once(counted: TestClient, counting: Counting) -> None:
    with ThreadPoolExecutor(24) as askers:
        answers = [askers.submit(counted.get, URL, params={"kpi": "spend"}) for _ in range(24)]
        await_until(lambda: counting.asked > 0)
        counting.way.set()
        bodies = {answer.result().text for answer in answers}
    assert (len(bodies), counting.asked) == (1, 1)
    assert counted.get(URL, params={"kpi": "spend"}).status_code == 200
    assert counting.asked == 1
    assert counted.get(URL, params={"kpi": "clicks"}).status_code == 200
    assert counting.asked == 2


def test_what_failed_is_asked_again(counted: TestClient, counting: Counting) -> None:
    counting.way.set()
    counting.fails = True
    assert counted.get(URL, params={"kpi": "spend"}).status_code == 503
    counting.fails = False
    assert counted.get(URL, params={"kpi": "spend"}).status_code == 200


def test_a_failure_that_many_wait_for_is_one(counted: TestClient, counting: Counting) -> None:
    counting.fails = True
    with ThreadPoolExecutor(24) as askers:
        answers = [askers.submit(counted.get, URL, params={"kpi": "spend"}) for _ in range(24)]
        await_until(lambda: counting.asked > 0)
        time.sleep(0.3)  # until all of them wait
        counting.way.set()
        assert {answer.result().status_code for answer in answers} == {503}
    assert counted.get("/api/v1/health").json()["circuits"]["analytics"] == "closed"
    counting.fails = False
    assert counted.get(URL, params={"kpi": "spend"}).status_code == 200


def test_what_came_too_late_is_there_the_next_time(counted: TestClient, counting: Counting) -> None:
    late = counted.get(URL, params={"kpi": "spend"})
    assert (late.status_code, late.json()["error_code"]) == (503, "store_unavailable")
    counting.way.set()
    await_until(lambda: counted.get(URL, params={"kpi": "spend"}).status_code == 200)
    assert counting.asked == 1


def test_a_new_release_has_answers_of_its_own(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    with fresh_platform.client() as client:
        query = {"kpi": "clicks", "by": "campaign"}
        first = client.get(URL, params=query).json()
        fresh_platform.publish(2)
        await_until(lambda: client.get(URL, params=query).json()["release_id"] == "r-gen2")
        second = client.get(URL, params=query).json()
    assert second["total"]["clicks"]["value"] == 2 * first["total"]["clicks"]["value"]
    assert second["lines"][0]["key"] == {"campaign": "c-1-gen2"}


def test_what_was_not_asked_for_the_longest_is_forgotten() -> None:
    remembered = Remembered(most_bytes=10)
    for question in ("first", "second", "first"):
        remembered.keep(question, b"1234")
    assert remembered.get("second") == b"1234"
    remembered.keep("third", b"1234")
    assert [remembered.get(name) for name in ("first", "second", "third")] == [None, b"1234", b"1234"]


def test_unusual_days_are_those_of_the_release(client: TestClient) -> None:
    answer = client.get(f"{URL}/anomalies").json()
    assert answer["release_id"] == "r-gen1"
    (found,) = answer["anomalies"]
    assert (found["member"], found["day"], found["value"]) == ("Meta", "2026-11-20", 100)
    assert answer["watched"][0]["days"] == 56
    other = client.get(f"{URL}/anomalies", params={"kpi": ["cac", "roas"]}).json()
    assert (other["anomalies"], other["watched"]) == ([], [])


def test_forecasts_are_those_of_the_release(client: TestClient) -> None:
    answer = client.get(f"{URL}/forecasts", params={"kpi": "spend"}).json()
    (made,) = answer["forecasts"]
    assert made["days"][0] == {"day": "2026-11-21", "value": 1_001, "low": 1_001, "high": 1_001}
    assert answer["declined"] == []
    assert client.get(f"{URL}/forecasts").json()["declined"][0]["kpi"] == "revenue"


@pytest.mark.parametrize("of", ["anomalies", "forecasts"])
def test_findings_of_what_is_no_kpi_are_refused(client: TestClient, of: str) -> None:
    refused = client.get(f"{URL}/{of}", params={"kpi": "profit"})
    assert (refused.status_code, refused.json()["error_code"]) == (422, "invalid_parameter")


@pytest.mark.parametrize("of", ["anomalies", "forecasts"])
def test_a_release_older_than_findings_is_not_ready_for_them(fresh_platform: Platform, of: str) -> None:
    manifest = fresh_platform.build(1).model_copy(update={"reports": {}})
    fresh_platform.shelf.publish(manifest, expected=None)
    with fresh_platform.client() as client:
        refused = client.get(f"{URL}/{of}")
        assert (refused.status_code, refused.json()["error_code"]) == (503, "not_ready")
        assert client.get(URL).status_code == 200
