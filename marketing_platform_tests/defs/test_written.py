"""What an application writes through the API is in the next release, and its receipt says so."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from marketing_platform.access.keys import key_id
from marketing_platform.errors import EncoderUnavailable
from marketing_platform.recommenders.answers import ProductRecommendationsAnswer
from marketing_platform.settings import Settings
from marketing_platform_tests.acceptance.installation import Installation
from marketing_platform_tests.callers import client_of
from serving.app import create_app

pytestmark = pytest.mark.long

WHEN = "2026-01-01T10:00:00Z"
NDJSON = {"Content-Type": "application/x-ndjson"}


def api(settings: Settings) -> TestClient:
    def no_encoder() -> Any:
        raise EncoderUnavailable("not needed here")

    return client_of(settings, create_app(settings, encoder=no_encoder, poll_seconds=0.02))


def offered(client: TestClient, user: str) -> list[str]:
    answer = client.get(f"/api/v1/users/{user}/recommendations?kind=product").json()
    fields = ProductRecommendationsAnswer.model_fields
    found = ProductRecommendationsAnswer.model_validate({key: answer[key] for key in fields})
    return [item.product_id for item in found.items]


def test_what_is_written_is_in_the_next_release(installation: Installation) -> None:
    before = installation.release()
    with api(installation.settings) as client:
        user = str(installation.query("SELECT min(user_id) FROM users WHERE marketing_consent")[0][0])
        unwanted = offered(client, user)[0]
        writer = key_id(client.headers["Authorization"].removeprefix("Bearer "))
        written = client.post(
            "/api/v1/users/new-one/data",
            json={
                "profile": {"name": "Ada Example", "marketing_consent": True},
                "purchases": [
                    {
                        "product_id": "never-described",
                        "timestamp": WHEN,
                        "quantity": 1,
                        "unit_price": "9.90",
                        "currency": "EUR",
                    }
                ],
                "interests": [{"interest": "Camping", "strength": 0.9}],
            },
        ).json()
        shown = [
            {"action": action, "item_kind": "product", "item_id": unwanted, "timestamp": WHEN}
            for action in ("impression", "dismissal")
        ]
        shown.append({"action": "click", "item_kind": "campaign", "item_id": "brand-new", "timestamp": WHEN})
        told = client.post(f"/api/v1/users/{user}/feedback", json={"events": shown}).json()
        lines = b"".join(
            b'{"user_id":"bulk-%d","interests":[{"interest":"Tea","strength":1}]}\n' % n for n in range(40)
        )
        bulk = client.post(
            "/api/v1/data/bulk", content=lines + b'{"user_id":"bulk-x","profile":{}}\n', headers=NDJSON
        ).json()
        held = client.post("/api/v1/data/bulk", content=b"no\n", headers=NDJSON).json()
        receipts = [answer["links"]["receipt"] for answer in (written, told, bulk, held)]
        assert {client.get(url).json()["status"] for url in receipts} == {"landed"}
    installation.run()
    with api(installation.settings) as client:
        release = installation.release()
        assert release.release_id != before.release_id
        found = [client.get(url).json() for url in receipts]
        assert [answer["status"] for answer in found] == ["released", "released", "released", "held"]
        for answer in found[:3]:
            assert (answer["release_id"], answer["served"]) == (release.release_id, True)
        assert [(answer["rows_valid"], answer["rows_quarantined"]) for answer in found] == [
            (3, 0),
            (3, 0),
            (40, 1),
            (0, 1),
        ]
        assert found[2]["quarantined"] == [{"at": "line 41", "reasons": ["profile: at least one field"]}]
        batch = client.get(f"/api/v1/batches/{found[0]['batch_id']}").json()
        assert (batch["state"], batch["rows_valid"], batch["releases"]) == (
            "accepted",
            3,
            [release.release_id],
        )
        assert batch["written_by"] == [{"principal": writer, "rows": 3}]
        current = client.get("/api/v1/releases/current").json()
        assert (current["release_id"], current["held_batches"]) == (
            release.release_id,
            len(before.held) + 1,
        )
        assert [line["release_id"] for line in client.get("/api/v1/releases").json()["items"]] == [
            release.release_id,
            before.release_id,
        ]
        edges = {
            (edge["kind"], edge["target"]): edge["properties"]
            for edge in client.get("/api/v1/users/new-one/profile-graph").json()["edges"]
        }
        bought = edges["PURCHASED", "Product:never-described"]
        assert (bought["orders"], bought["first_at"]) == (1, "2026-01-01T10:00:00Z")
        cares = {"strength": 0.9, "source": "stated", "confidence": 1.0}
        assert edges["INTERESTED_IN", "Interest:Camping"] == cares
        assert offered(client, "new-one")
        assert unwanted not in offered(client, user)
        engaged = client.get("/analytics/campaign-performance?campaign_id=brand-new").json()["items"]
        assert [row["clicks"] for row in engaged] == [1]
    assert installation.query("SELECT name FROM users WHERE user_id = 'new-one'") == [("Ada Example",)]
    assert installation.query("SELECT name FROM products WHERE product_id = 'never-described'") == [(None,)]
    assert installation.query(
        "SELECT impressions, dismissals FROM item_feedback"
        " WHERE item_kind = 'product' AND impressions + dismissals > 0"
    ) == [(1, 1)]
