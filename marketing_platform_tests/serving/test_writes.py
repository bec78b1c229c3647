"""What is written lands whole, once and for good; what became of it can be followed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.access.keys import key_id
from marketing_platform.errors import EncoderUnavailable
from marketing_platform.ingestion.landing import take_landed
from marketing_platform.releases.records import open_records
from marketing_platform.releases.writes import record_name
from marketing_platform.settings import Settings
from marketing_platform.sources import load_sources
from marketing_platform.stores.registry import open_stores
from marketing_platform_tests.callers import bearer, client_of, new_key
from marketing_platform_tests.serving.conftest import Response, await_until
from marketing_platform_tests.serving.test_errors import error_of
from marketing_platform_tests.serving.writing import PURCHASE, served
from serving.app import create_app

pytestmark = pytest.mark.slow

DATA = {"profile": {"name": "Ada"}, "purchases": [PURCHASE]}
FAST = {"MARKETING_LIMIT_BURST": "100000", "MARKETING_LIMIT_SUSTAINED": "1000000"}
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
LINE = b'{"user_id":"u-1","profile":{"name":"Ada"}}\n'


def api(folder: Path, monkeypatch: pytest.MonkeyPatch, **limits: object) -> TestClient:
    """A client of the API over a folder, with a key that may do everything."""

    def no_encoder() -> Any:
        raise EncoderUnavailable("not needed here")

    for name, value in (
        FAST | {f"MARKETING_WRITES_{key.upper()}": str(each) for key, each in limits.items()}
    ).items():
        monkeypatch.setenv(name, value)
    settings = Settings(data_dir=folder)
    return client_of(settings, create_app(settings, encoder=no_encoder), raise_server_exceptions=False)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with api(tmp_path, monkeypatch, segment_seconds=0.1, bulk_bytes=200_000, bulk_line_bytes=2_000) as opened:
        yield opened


def caller(folder: Path, *scopes: Scope) -> dict[str, str]:
    """The header of somebody new, who may write unless something else is said."""
    return bearer(new_key(Settings(data_dir=folder), scopes or (Scope.WRITE_DATA,)))


def id_of(headers: Any) -> str:
    """What the platform calls whoever sends this header."""
    return str(key_id(headers["Authorization"].removeprefix("Bearer ")))


def landed(folder: Path, kind: str = "*") -> list[dict[str, Any]]:
    """Every line in the landing zone that came by the API."""
    paths = sorted((folder / "landing" / "api").glob(f"{kind}/*.ndjson"))
    return [orjson.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def eventually(folder: Path, lines: int, kind: str = "*") -> list[dict[str, Any]]:
    deadline = time.monotonic() + 10
    while len(found := landed(folder, kind)) < lines:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def number_of(answer: Any) -> str:
    """The receipt's number, which stands in every line of the write."""
    said = answer["receipt_id"].removeprefix("rc_").partition(".")[0]
    return orjson.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))[0]


def test_a_write_lands_as_lines_that_say_whose_they_are(client: TestClient, tmp_path: Path) -> None:
    shop = caller(tmp_path)
    response = client.post("/api/v1/users/u/1/data", json=DATA, headers=shop)
    assert response.status_code == 202
    answer = response.json()
    assert (answer["status"], answer["rows"]) == ("landed", 2)
    assert response.headers["Location"] == answer["links"]["receipt"]
    first, second = (line["value"] for line in eventually(tmp_path, 2))
    assert first["users"] == {"user_id": "u/1", "name": "Ada"}
    assert second["purchases"]["unit_price"] == "2.50"
    for line in (first, second):
        assert line["write"]["receipt"] == number_of(answer)
        assert line["write"]["by"] == id_of(shop)
        assert datetime.fromisoformat(line["write"]["received_at"]) == datetime.fromisoformat(
            answer["received_at"]
        )


def test_feedback_lands_and_of_campaigns_as_events_too(client: TestClient, tmp_path: Path) -> None:
    told = [
        {"action": action, "item_kind": kind, "item_id": "x", "position": 1}
        for kind in ("product", "campaign")
        for action in ("impression", "conversion", "dismissal")
    ]
    assert client.post("/api/v1/users/u-1/feedback", json={"events": told}).status_code == 202
    lines = [line["value"] for line in eventually(tmp_path, 6, "feedback")]
    assert [line["feedback"]["action"] for line in lines] == [event["action"] for event in told]
    assert [line["events"]["event_type"] for line in lines if "events" in line] == ["impression", "convert"]


def test_many_writes_share_few_objects(client: TestClient, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: client.post(f"/api/v1/users/u-{n}/data", json=DATA), range(100)))
    assert {answer.status_code for answer in answers} == {202}
    lines = eventually(tmp_path, 200)
    assert len(list((tmp_path / "landing" / "api" / "user-data").iterdir())) < 20
    assert sorted({line["value"]["write"]["receipt"] for line in lines}) == sorted(
        number_of(answer.json()) for answer in answers
    )


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"purchases":[{}]}', "purchases.0.unit_price"),
        (b'{"interests":[{"interest":"a","strength":2}]}', "interests.0.strength"),
        (b'{"profile":{"secret":1}}', "profile.…"),
        (b"[]", ""),
    ],
    ids=["missing", "too much", "unknown", "list"],
)
def test_what_does_not_fit_is_told_and_lands_nothing(
    client: TestClient, tmp_path: Path, body: bytes, name: str
) -> None:
    response = client.post("/api/v1/users/u-1/data", content=body, headers=JSON)
    found = error_of(response, 422, "invalid_parameter")
    assert "secret" not in response.text
    assert name in [problem["name"] for problem in found["details"]["problems"]]
    assert landed(tmp_path) == []


TEA = {"interest": "Tea", "strength": 1}


@pytest.mark.parametrize(
    ("document", "name", "said"),
    [
        ({"purchases": [{**PURCHASE, "purchase_id": "l-1"}] * 2}, "", "each purchase_id only once"),
        ({"interests": [TEA, {**TEA, "strength": 0.5}]}, "", "each interest only once"),
        ({"products": [{"product_id": "p-1"}] * 2}, "", "each product_id of products only once"),
        ({"purchases": [{**PURCHASE, "currency": "EUX"}]}, "purchases.0.currency", "active code of ISO 4217"),
        ({"products": [{"product_id": "p-1", "price": 1}]}, "products.0", "price and currency only together"),
        ({}, "", "at least one of profile, purchases, interests, products"),
    ],
    ids=["purchase", "interest", "product", "currency", "price", "nothing"],
)
def test_what_contradicts_itself_is_refused_whole(
    client: TestClient, tmp_path: Path, document: dict[str, Any], name: str, said: str
) -> None:
    response = client.post(
        "/api/v1/users/u-1/data", json={**document, "profile": {"name": "Ada"}} if document else {}
    )
    (problem,) = error_of(response, 422, "invalid_parameter")["details"]["problems"]
    assert problem["name"] == name
    assert said in problem["problem"]
    assert landed(tmp_path) == []


def test_what_is_a_matter_of_facts_is_taken_as_it_was_written(client: TestClient, tmp_path: Path) -> None:
    lines = [
        {**PURCHASE, "product_id": "nobody-described-it"},
        {**PURCHASE, "currency": "USD"},  # a shop may sell in other currencies than its list has
        PURCHASE,
        PURCHASE,  # two lines that are alike are two sales
    ]
    described = [{"product_id": "p-1", "price": "2.50", "currency": "EUR"}]
    document = {"purchases": lines, "products": described}
    assert client.post("/api/v1/users/u-1/data", json=document).json()["rows"] == 5
    found = [line["value"]["purchases"] for line in eventually(tmp_path, 5) if "purchases" in line["value"]]
    assert [(line["product_id"], line["currency"]) for line in found] == [
        ("nobody-described-it", "EUR"),
        ("p-1", "USD"),
        ("p-1", "EUR"),
        ("p-1", "EUR"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"purchases":[{"unit_price":NaN}]}',
        b'{"interests":[{"interest":"a","strength":1e999}]}',
        b'{"profile":{"name":"\\ud800"}}',
        b'{"profile":{"name":"a\\u0000"}}',
        b"{",
        b"",
        b"\xff",
        b'{"profile":' + b"[" * 5000,
    ],
    ids=["nan", "infinite", "surrogate", "nul", "cut off", "empty", "no text", "deep"],
)
def test_what_is_no_json_lands_nothing(client: TestClient, tmp_path: Path, body: bytes) -> None:
    error_of(client.post("/api/v1/users/u-1/data", content=body, headers=JSON), 400, "malformed_json")
    assert landed(tmp_path) == []


@pytest.mark.parametrize("user_id", ["%20", "a%00b", "x" * 257])
def test_users_that_cannot_be(client: TestClient, user_id: str) -> None:
    error_of(client.post(f"/api/v1/users/{user_id}/data", json=DATA), 422, "invalid_parameter")


def test_a_key_gives_the_same_answer_and_one_landing(client: TestClient, tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "order-1", **caller(tmp_path)}
    first = client.post("/api/v1/users/u-1/data", json=DATA, headers=headers)
    again = client.post("/api/v1/users/u-1/data", json=DATA, headers=headers)
    assert (first.status_code, first.content, first.headers["Location"]) == (
        again.status_code,
        again.content,
        again.headers["Location"],
    )
    other = client.post("/api/v1/users/u-1/data", json={"profile": {"name": "Eve"}}, headers=headers)
    error_of(other, 422, "idempotency_key_reused")
    elsewhere = client.post("/api/v1/users/u-2/data", json=DATA, headers=headers)
    error_of(elsewhere, 422, "idempotency_key_reused")
    somebody = client.post("/api/v1/users/u-1/data", json=DATA, headers=headers | caller(tmp_path))
    assert somebody.status_code == 202
    assert somebody.content != first.content
    assert len(eventually(tmp_path, 4)) == 4


def test_a_key_in_flight_is_a_conflict(client: TestClient, tmp_path: Path) -> None:
    url, headers = "/api/v1/users/u-1/data", {"Idempotency-Key": "slow"}
    body = orjson.dumps(DATA)
    writes = open_records(Settings(data_dir=tmp_path)).writes
    fingerprint = hashlib.sha256(f"POST {url}".encode() + b"\0" + body).hexdigest()
    hour = timedelta(hours=1)
    record = record_name(id_of(client.headers), "slow")
    writes.begin(record, fingerprint, attempt="another", now=datetime.now(UTC), lease=hour, keep=hour)
    response = client.post(url, content=body, headers=headers | {"Content-Type": "application/json"})
    error_of(response, 409, "idempotency_in_flight")
    assert response.headers["Retry-After"]
    assert landed(tmp_path) == []


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256])
def test_keys_that_cannot_be(client: TestClient, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    response = client.post("/api/v1/users/u-1/data", json=DATA, headers=headers)  # pyright: ignore[reportArgumentType]
    error_of(response, 422, "invalid_parameter")


def take(folder: Path) -> list[str]:
    """The batches that a look at the landing zone makes."""
    configured = Settings(data_dir=folder)
    taken = take_landed(
        open_stores(configured).objects,
        open_records(configured).ledger,
        load_sources(configured.sources_dir),
        now=datetime.now(UTC),
        settle_seconds=0,
    )
    assert not taken.unmatched
    assert not taken.refused
    return list(taken.batches)


def test_a_receipt_is_for_whoever_wrote_and_admins(client: TestClient, tmp_path: Path) -> None:
    mine = caller(tmp_path)
    url = client.post("/api/v1/users/u-1/data", json=DATA, headers=mine).json()["links"]["receipt"]
    found = client.get(url, headers=mine).json()
    assert (found["status"], found["batch_id"], found["rows"]) == ("landed", None, 2)
    eventually(tmp_path, 2)
    (batch_id,) = take(tmp_path)
    for headers in (mine, caller(tmp_path, Scope.ADMIN)):
        assert client.get(url, headers=headers).json()["batch_id"] == batch_id
    error_of(client.get(url, headers=caller(tmp_path)), 404, "unknown_receipt")
    error_of(client.get(url, headers=caller(tmp_path, Scope.READ_ANALYTICS)), 403, "forbidden_scope")
    error_of(client.get(url[:-1] + ("A" if url[-1] != "A" else "B"), headers=mine), 404, "unknown_receipt")
    error_of(client.get("/api/v1/receipts/rc_é.x", headers=mine), 404, "unknown_receipt")


def upload(client: TestClient, content: Any, **headers: str) -> Response:
    return client.post("/api/v1/data/bulk", content=content, headers={**NDJSON, **headers})


def test_answers_fit_the_published_description(client: TestClient, tmp_path: Path) -> None:
    openapi = client.get("/openapi.json").json()

    def check(path: str, method: str, response: Response) -> None:
        described = openapi["paths"][path][method]["responses"][str(response.status_code)]
        schema = described["content"]["application/json"]["schema"] | {"components": openapi["components"]}
        jsonschema.Draft202012Validator(schema).validate(response.json())

    written = client.post("/api/v1/users/u-1/data", json=DATA)
    check("/api/v1/users/{user_id}/data", "post", written)
    check("/api/v1/data/bulk", "post", upload(client, LINE + b"x\n"))
    url = written.json()["links"]["receipt"]
    check("/api/v1/receipts/{receipt_id}", "get", client.get(url))
    eventually(tmp_path, 4)
    batch_id = take(tmp_path)[0]
    check("/api/v1/receipts/{receipt_id}", "get", client.get(url))
    check("/api/v1/batches/{batch_id}", "get", client.get(f"/api/v1/batches/{batch_id}"))
    check("/api/v1/batches", "get", client.get("/api/v1/batches"))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_bulk_upload_lands_as_one_object(client: TestClient, tmp_path: Path, encoding: str) -> None:
    lines = LINE * 3 + b'\r\n\n{"user_id":"u-2","purchases":[{}]}\nnot json\n' + LINE.rstrip()
    content = gzip.compress(lines[:50]) + gzip.compress(lines[50:]) if encoding == "gzip" else lines
    response = upload(client, iter([content[:70], content[70:]]), **{"Content-Encoding": encoding})
    assert response.status_code == 202, response.text
    assert response.json()["rows"] == 6
    found = landed(tmp_path, "bulk")
    assert [line.get("_defect") for line in found] == [
        None,
        None,
        None,
        "purchases.product_id: Field required",
        "invalid JSON",
        None,
    ]
    assert found[4]["_raw"] == "not json"
    assert found[5]["value"]["write"]["at"] == "line 6: profile"


def test_a_bulk_upload_has_a_key_like_any_write(client: TestClient, tmp_path: Path) -> None:
    first = upload(client, LINE, **{"Idempotency-Key": "1"})
    assert upload(client, LINE, **{"Idempotency-Key": "1"}).content == first.content
    error_of(upload(client, LINE * 2, **{"Idempotency-Key": "1"}), 422, "idempotency_key_reused")
    assert len(landed(tmp_path)) == 1


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (LINE, {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        (LINE, {"Content-Encoding": "br"}, 415, "unsupported_media_type"),
        (LINE, {"Content-Encoding": "gzip"}, 400, "malformed_stream"),
        (gzip.compress(LINE * 100)[:-9], {"Content-Encoding": "gzip"}, 400, "malformed_stream"),
        (b" \n\n", {}, 400, "malformed_stream"),
        (LINE * 6000, {}, 413, "body_too_large"),
        (b'"' + b"x" * 3000, {}, 413, "body_too_large"),
        (gzip.compress(b"\n" * 50_000_000), {"Content-Encoding": "gzip"}, 413, "body_too_large"),
    ],
    ids=["type", "encoding", "no gzip", "cut off", "empty", "large", "long line", "bomb"],
)
def test_uploads_that_are_refused_leave_nothing(
    client: TestClient, tmp_path: Path, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    error_of(upload(client, content, **headers), status, code)
    assert landed(tmp_path) == []
    assert not any((tmp_path / "uploads").glob("*"))


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    key = caller(tmp_path)
    with served(tmp_path) as running:
        address = httpx.URL(running.url)
        with socket.create_connection((address.host, address.port or 80)) as sender:
            head = "POST /api/v1/data/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            sender.sendall(
                f"{head}Authorization: {key['Authorization']}\r\nContent-Length: 5000000\r\n\r\n".encode()
                + LINE * 50_000
            )
            time.sleep(0.5)
        answer = httpx.post(f"{running.url}/api/v1/data/bulk", content=LINE, headers=NDJSON | key)
        assert answer.status_code == 202
        assert len(landed(tmp_path)) == 1
        assert not any((tmp_path / "uploads").iterdir())


def test_batches_are_listed_in_pages_and_told_in_full(client: TestClient, tmp_path: Path) -> None:
    for number in range(5):
        upload(client, b'{"user_id":"u-%d","profile":{"name":"Ada"}}\n' % number)
    made = take(tmp_path)
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/api/v1/batches?limit=2{cursor}").json()
        seen += [batch["batch_id"] for batch in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]
    assert client.get("/api/v1/batches?state=held").json()["items"] == []
    assert len(client.get("/api/v1/batches?state=landed&source=api_user_data").json()["items"]) == 5
    assert client.get("/api/v1/batches?source=other").json()["items"] == []
    found = client.get(f"/api/v1/batches/{made[0]}")
    assert [event["action"] for event in found.json()["history"]] == ["landed"]
    assert client.get(f"/api/v1/batches/{made[0].rpartition('@')[2]}").json() == found.json()
    etag = {"If-None-Match": found.headers["ETag"]}
    assert client.get(f"/api/v1/batches/{made[0]}", headers=etag).status_code == 304
    error_of(client.get("/api/v1/batches/none"), 404, "unknown_batch")
    error_of(client.get("/api/v1/batches?cursor=x"), 422, "invalid_parameter")
    error_of(client.get("/api/v1/releases/current"), 503, "no_release")
    assert client.get("/api/v1/releases").json() == {"items": [], "next_cursor": None}


def test_one_key_in_two_processes_is_one_landing(tmp_path: Path) -> None:
    key = caller(tmp_path)
    with served(tmp_path, **FAST) as one, served(tmp_path, **FAST) as other, ThreadPoolExecutor(8) as threads:

        def write(number: int) -> httpx.Response:
            url = (one, other)[number % 2].url
            deadline = time.monotonic() + 30
            while True:
                answer = httpx.post(
                    f"{url}/api/v1/users/u-1/data",
                    json=DATA,
                    headers={"Idempotency-Key": f"k-{number // 8}", **key},
                    timeout=30,
                )
                if answer.status_code != 409:
                    return answer
                assert time.monotonic() < deadline
                assert answer.json()["error_code"] == "idempotency_in_flight"

        answers = list(threads.map(write, range(80)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 10
    assert len(landed(tmp_path)) == 20


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_kill_loses_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    acknowledged: dict[str, dict[str, Any]] = {}
    sent = caller(tmp_path)
    with served(tmp_path, **FAST, MARKETING_WRITES_SEGMENT_SECONDS="0.3") as running:

        def write(thread: int) -> None:
            with httpx.Client(timeout=60) as connection:
                for number in range(10_000):
                    key = f"{thread}-{number}"
                    try:
                        answer = connection.post(
                            f"{running.url}/api/v1/users/u-{key}/data",
                            json=DATA,
                            headers={"Idempotency-Key": key, **sent},
                        )
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 202, answer.text
                    acknowledged[key] = answer.json()

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        await_until(lambda: bool(acknowledged), seconds=60)
        time.sleep(random.Random(seed).random())
        running.process.kill()
        running.process.wait()
        for thread in threads:
            thread.join()
    assert acknowledged
    with api(tmp_path, monkeypatch) as client:
        client.headers.update(sent)  # its start lands what was left
        assert not list((tmp_path / "spool").glob("*.segment"))
        take(tmp_path)
        for key, answer in acknowledged.items():
            found = client.get(answer["links"]["receipt"]).json()
            assert found["batch_id"] is not None, key
            assert found["rows"] == 2
        lines = landed(tmp_path)
        for answer in acknowledged.values():
            own = [line for line in lines if line["value"]["write"]["receipt"] == number_of(answer)]
            assert len(own) == 2
        # Nothing is there in part, and a write that was durable but never answered has its answer now.
        by_number: dict[str, list[Any]] = {}
        for line in lines:
            by_number.setdefault(line["value"]["write"]["receipt"], []).append(line)
        assert {len(own) for own in by_number.values()} == {2}
        unheard = set(by_number) - {number_of(answer) for answer in acknowledged.values()}
        for number in unheard:
            key = by_number[number][0]["value"]["users"]["user_id"].removeprefix("u-")
            again = client.post(f"/api/v1/users/u-{key}/data", json=DATA, headers={"Idempotency-Key": key})
            assert number_of(again.json()) == number
