"""Files that people upload: where they land, whole, and what is refused before it lands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.ingestion.landing import take_landed
from marketing_platform.releases.records import open_records
from marketing_platform.sources import load_sources
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.serving.conftest import Platform, Response
from marketing_platform_tests.serving.test_errors import error_of

pytestmark = pytest.mark.slow

URL = "/api/v1/files"
CONTENT = b"date,platform,account\n2026-06-30,Meta,A\n"
BYTES = {"Content-Type": "application/octet-stream"}


def sent(client: TestClient, source: str, name: str, content: bytes = CONTENT) -> Response:
    return client.post(URL, params={"source": source, "name": name}, content=content, headers=BYTES)


def landed(platform: Platform) -> list[Path]:
    folder = platform.settings.landing_dir
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def uploads(fresh_platform: Platform) -> Iterator[TestClient]:
    with fresh_platform.client(raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("ads_spend", "ads_spend_june.csv", "ads_spend_june.csv"),
        ("ads_spend", "C:\\exports\\june.csv", "ads_spendjune.csv"),
        ("sample_users", "customers (3).csv", "crm/users.csv"),
        ("sample_events", "events-2026-07.csv", "events/events-2026-07.csv"),
        ("sample_events", "july.csv", "events/events-july.csv"),
    ],
)
def test_a_file_lands_where_its_source_reads_it(
    uploads: TestClient, fresh_platform: Platform, source: str, name: str, expected: str
) -> None:
    answer = sent(uploads, source, name)
    assert answer.status_code == 202, answer.text
    assert answer.json()["object"] == expected
    assert answer.json()["content_hash"] == hashlib.sha256(CONTENT).hexdigest()
    assert landed(fresh_platform) == [Path(expected)]
    assert (fresh_platform.settings.landing_dir / expected).read_bytes() == CONTENT


def test_the_batch_it_becomes_is_the_one_that_was_told(uploads: TestClient, fresh_platform: Platform) -> None:
    told = sent(uploads, "ads_spend", "ads_spend.csv").json()
    error_of(uploads.get(f"/api/v1/batches/{told['batch']}"), 404, "unknown_batch")
    settings = fresh_platform.settings
    sources = load_sources(settings.sources_dir)
    ledger = open_records(settings).ledger
    take_landed(fresh_platform.stores.objects, ledger, sources, now=datetime.now(UTC), settle_seconds=0)
    found = uploads.get(f"/api/v1/batches/{told['batch']}").json()
    assert (found["object"], found["content_hash"]) == (told["object"], told["content_hash"])


def test_uploading_again_replaces_it(uploads: TestClient, fresh_platform: Platform) -> None:
    sent(uploads, "ads_spend", "ads_spend.csv")
    sent(uploads, "ads_spend", "ads_spend.csv", CONTENT * 2)
    assert landed(fresh_platform) == [Path("ads_spend.csv")]
    assert (fresh_platform.settings.landing_dir / "ads_spend.csv").read_bytes() == CONTENT * 2


@pytest.mark.parametrize(
    ("source", "name", "parameter"),
    [
        ("nobody", "ads_spend.csv", "source"),
        ("api_feedback", "x.ndjson", "source"),  # written by programs, through routes of their own
        ("ads_spend", "..", "name"),
        ("ads_spend", ".hidden.csv", "name"),
        ("ads_spend", "ads_spend.csv.part", "name"),
        ("ads_spend", "ads\x00spend.csv", "name"),
        ("ads_spend", "x" * 256, "name"),
    ],
    ids=["unknown", "for programs", "parent", "hidden", "unfinished", "NUL", "long"],
)
def test_what_does_not_fit_is_refused_and_nothing_lands(
    uploads: TestClient, fresh_platform: Platform, source: str, name: str, parameter: str
) -> None:
    found = error_of(sent(uploads, source, name), 422, "invalid_parameter")
    assert [problem["name"] for problem in found["details"]["problems"]] == [parameter]
    assert landed(fresh_platform) == []


def test_empty_files_and_other_media_are_refused(uploads: TestClient, fresh_platform: Platform) -> None:
    error_of(sent(uploads, "ads_spend", "ads_spend.csv", b""), 400, "malformed_stream")
    asked = {"source": "ads_spend", "name": "ads_spend.csv"}
    error_of(uploads.post(URL, params=asked, json={}), 415, "unsupported_media_type")
    assert landed(fresh_platform) == []


def test_it_needs_the_scope_to_write(fresh_platform: Platform) -> None:
    others = [scope for scope in Scope if scope is not Scope.WRITE_DATA]
    with client_of(fresh_platform.settings, fresh_platform.app(), others) as client:
        error_of(sent(client, "ads_spend", "ads_spend.csv"), 403, "forbidden_scope")
