"""E-mails over the API say what one release knows; their links unsubscribe, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from marketing_platform.access import Scope
from marketing_platform.content.email.unsubscribing import unsubscribe_token
from marketing_platform.releases.records import open_records
from marketing_platform_tests.callers import client_of
from marketing_platform_tests.serving.conftest import MORNING, Platform
from marketing_platform_tests.serving.test_errors import error_of

pytestmark = pytest.mark.slow

WEEKLY = {"template": "weekly_picks"}
BASE = "https://api.example.com"


@pytest.fixture
def api(fresh_platform: Platform) -> Iterator[TestClient]:
    fresh_platform.publish(1)
    with fresh_platform.client() as opened:
        yield opened


def made(api: TestClient, user: str = "u-1", **question: Any) -> dict[str, Any]:
    response = api.post(f"/api/v1/users/{user}/email", json={**WEEKLY, **question})
    assert response.status_code == 200, response.text
    return response.json()


def link_of(email: dict[str, Any]) -> str:
    return email["headers"]["List-Unsubscribe"][1:-1].removeprefix(BASE)


def test_an_e_mail_is_of_one_user_and_one_release(api: TestClient) -> None:
    email = made(api)
    assert email["release_id"] == "r-gen1"
    assert (email["locale"], email["variant"]) == ("en", "control")
    assert email["subject"] == "Adaa, picked for your next days outside"
    assert email["personalization_data"]["first_name"] == {"value": "Adaa", "source": "profile"}
    picks = email["personalization_data"]["picks"]
    assert picks["source"] == "recommendations"
    assert len(picks["value"]) >= 3
    for one in picks["value"]:
        assert one["product_id"].endswith("-gen1")
        assert one["name"] in email["html_content"]
        assert one["name"] in email["text_content"]
    assert email["to"] == "u-1@example.com"
    assert email["not_sent_because"] is None
    assert email["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_it_fits_its_description(api: TestClient) -> None:
    openapi = api.get("/openapi.json").json()
    described = openapi["paths"]["/api/v1/users/{user_id}/email"]["post"]["responses"]["200"]["content"]
    schema = {**described["application/json"]["schema"], "components": openapi["components"]}
    jsonschema.Draft202012Validator(schema).validate(made(api))


def test_anybody_can_be_looked_at_and_it_says_who_gets_none(api: TestClient) -> None:
    assert made(api, "u-2")["not_sent_because"] == "no_consent"
    assert made(api, "u-2")["locale"] == "de"
    last = made(api, "u-6")
    assert (last["to"], last["not_sent_because"]) == (None, "no_consent")


def test_wording_language_and_fields_are_a_wish(api: TestClient) -> None:
    fields = {"first_name": "Grace", "offer_url": "https://shop.example.com/x"}
    email = made(api, locale="de", variant="product_first", fields=fields)
    assert email["subject"].endswith(": für Sie ausgesucht")
    assert email["personalization_data"]["first_name"] == {"value": "Grace", "source": "given"}
    assert email["personalization_data"]["offer_url"]["value"].startswith("https://shop.example.com/x?utm_")


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ({"variant": "nope"}, {"variant": "Input should be one of control, product_first"}),
        ({"locale": "fr"}, {"locale": "Input should be one of en, de"}),
        ({"fields": {"offer_url": "javascript:x"}}, {"fields.offer_url": "is not usable as it is given"}),
        (
            {"fields": {"<script>": "x"}},
            {"fields.…": "is no field that can be given; those are first_name, interest, offer_url"},
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_named(
    api: TestClient, question: dict[str, Any], named: dict[str, str]
) -> None:
    response = api.post("/api/v1/users/u-1/email", json={**WEEKLY, **question})
    problems = error_of(response, 422, "invalid_parameter")["details"]["problems"]
    assert {one["name"]: one["problem"] for one in problems} == named
    assert "<script>" not in response.text


def test_who_or_what_is_not_known_is_not_found(api: TestClient) -> None:
    error_of(api.post("/api/v1/users/nobody/email", json=WEEKLY), 404, "unknown_user")
    unknown = {"template": "weekly_pick"}
    error_of(api.post("/api/v1/users/u-1/email", json=unknown), 404, "unknown_template")
    error_of(api.post("/api/v1/users/u-1/email", content=b"{"), 415, "unsupported_media_type")


def test_a_key_must_read_recommendations(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    with client_of(fresh_platform.settings, fresh_platform.app(), [Scope.WRITE_DATA]) as api:
        error_of(api.post("/api/v1/users/u-1/email", json=WEEKLY), 403, "forbidden_scope")


def test_eml_is_a_message_that_mail_programs_read(api: TestClient) -> None:
    asked = api.post("/api/v1/users/u-1/email?format=eml", json=WEEKLY, headers={"Accept": "message/rfc822"})
    assert asked.headers["Content-Type"] == "message/rfc822"
    assert asked.headers["X-Release-Id"] == "r-gen1"
    message = message_from_bytes(asked.content, policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    email = made(api)
    assert message["Subject"] == email["subject"]
    assert message["List-Unsubscribe"] == email["headers"]["List-Unsubscribe"]
    text, html = message.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == email["text_content"]
    assert html.get_content().replace("\r\n", "\n").strip() == email["html_content"].strip()
    nobody = api.post("/api/v1/users/u-6/email?format=eml", json=WEEKLY)
    error_of(nobody, 422, "unanswerable")


def test_what_is_suppressed_is_in_no_e_mail(api: TestClient) -> None:
    first = made(api)["personalization_data"]["picks"]["value"][0]["product_id"]
    api.post("/api/v1/suppressions", json={"reason": "hidden", "kind": "product", "item_id": first})
    picks = made(api)["personalization_data"]["picks"]["value"]
    assert first not in [one["product_id"] for one in picks]
    api.post("/api/v1/suppressions", json={"reason": "opted_out", "user_id": "u-1"})
    assert made(api)["personalization_data"]["picks"]["value"] == []


def test_erased_users_have_no_e_mail(api: TestClient) -> None:
    link = link_of(made(api))
    api.delete("/api/v1/users/u-1")
    error_of(api.post("/api/v1/users/u-1/email", json=WEEKLY), 404, "unknown_user")
    assert api.post(link).status_code == 200


def test_an_old_link_makes_nobody_known_again(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    records = open_records(fresh_platform.settings)
    asked = records.erasures.ask("gone", who="t", now=MORNING)
    records.erasures.rows_gone(asked.erasure_id, now=MORNING)
    records.erasures.done(asked, now=MORNING)
    token = unsubscribe_token(records.mail.signing_key(), "gone")
    with fresh_platform.client() as api:
        assert api.post(f"/api/v1/unsubscribe/{token}").status_code == 200
    assert records.mail.unsubscribed() == frozenset()
    assert not list(fresh_platform.settings.landing_dir.rglob("*.ndjson"))


def test_a_release_without_people_is_not_ready(fresh_platform: Platform) -> None:
    manifest = fresh_platform.build(1)
    answers = {kind: entry for kind, entry in manifest.answers.items() if kind != "people"}
    fresh_platform.shelf.publish(manifest.model_copy(update={"answers": answers}), expected=None)
    with fresh_platform.client() as api:
        error_of(api.post("/api/v1/users/u-1/email", json=WEEKLY), 503, "not_ready")


def test_following_the_link_asks_and_the_button_unsubscribes(fresh_platform: Platform) -> None:
    fresh_platform.publish(1)
    ledger = open_records(fresh_platform.settings).mail
    with fresh_platform.client() as api:
        link = link_of(made(api))
        del api.headers["Authorization"]
        asked = api.get(link, headers={"Accept": "text/html", "Accept-Language": "de-DE,en;q=0.5"})
        assert asked.status_code == 200
        assert asked.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in asked.headers["Content-Security-Policy"]
        assert '<html lang="de">' in asked.text
        assert '<form method="post">' in asked.text
        api.head(link)
        assert ledger.unsubscribed() == frozenset(), "scanners of mail follow links"
        for _ in range(2):
            done = api.post(link, data={"List-Unsubscribe": "One-Click"})
            assert done.status_code == 200
            assert "You are unsubscribed" in done.text
        assert ledger.unsubscribed() == {"u-1"}
    written = _landed(fresh_platform.settings.landing_dir)
    assert written.count('"marketing_consent":false') == 1, "written once, for the next release"
    assert '"user_id":"u-1"' in written


def test_nobody_unsubscribes_anybody_else(api: TestClient) -> None:
    link = link_of(made(api))
    body, _, signature = link.rpartition(".")
    for forged in (f"{body}.{signature[::-1]}", f"{body}", f"{link}x", "/api/v1/unsubscribe/dS0y.eHh4"):
        for method in ("GET", "POST"):
            error_of(api.request(method, forged), 404, "unknown_link")


def _landed(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*")) if path.is_file())
