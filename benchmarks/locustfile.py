"""A mixed load as applications and dashboards make it, for locust; `crowd.py` starts it.

Where the API is, its key (MARKETING_KEY) and what may fail are said from outside; here is who asks what, how
often. Every status of 400 and above counts as a failure.
"""

from __future__ import annotations

import os
import random
import uuid

from locust import HttpUser, between, task

_KINDS = ("product", "campaign", "trending", "cross_category", "content")
_FEEDBACK = ("impression", "click", "conversion", "dismissal")


class _Caller(HttpUser):
    abstract = True
    wait_time = between(0.05, 0.5)

    def on_start(self) -> None:
        """Carry the key, and know some users and campaigns."""
        self.client.headers["Authorization"] = f"Bearer {os.environ['MARKETING_KEY']}"
        page = self.client.get("/analytics/user-engagement", params={"limit": 200}).json()
        self.users = [row["user_id"] for row in page["items"]]

    def a_user(self) -> str:
        """Anyone, the engaged ones no more often than others."""
        return random.choice(self.users)


class Shop(_Caller):
    """A shop window: what to show, and what became of it."""

    weight = 8

    @task(12)
    def recommendations(self) -> None:
        """What to show now."""
        self._get("recommendations", kind=random.choice(_KINDS), limit=random.choice((3, 5, 10)))

    @task(4)
    def ready_recommendations(self) -> None:
        """The whole prepared answer."""
        self._get("recommendations")

    @task(2)
    def similar(self) -> None:
        """Who is alike."""
        self._get("similar")

    @task(3)
    def feedback(self) -> None:
        """What the user did with it."""
        self.client.post(
            f"/api/v1/users/{self.a_user()}/feedback",
            json={
                "events": [
                    {"action": random.choice(_FEEDBACK), "item_kind": "product", "item_id": "CAM-1001"}
                ]
            },
            headers={"Idempotency-Key": uuid.uuid4().hex},
            name="POST /api/v1/users/{id}/feedback",
        )

    def _get(self, what: str, **parameters: str | int) -> None:
        self.client.get(
            f"/api/v1/users/{self.a_user()}/{what}", params=parameters, name=f"/api/v1/users/{{id}}/{what}"
        )


class Dashboard(_Caller):
    """Somebody who looks at figures and profiles."""

    weight = 2

    @task(3)
    def figures(self) -> None:
        """A page of a table."""
        table = random.choice(("user-engagement", "campaign-performance", "daily-activity"))
        self.client.get(f"/analytics/{table}", params={"limit": 50}, name=f"/analytics/{table}")

    @task(2)
    def profile(self) -> None:
        """What a user took part in."""
        self.client.get(
            "/graph/user-campaigns", params={"user_id": self.a_user()}, name="/graph/user-campaigns"
        )

    @task(1)
    def health(self) -> None:
        """Whether all is well."""
        self.client.get("/health")
