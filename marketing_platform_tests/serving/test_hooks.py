"""Signed calls: what is taken, once; what is refused, and why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from fastapi.testclient import TestClient

from marketing_platform.automations.signing import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    keys_of,
    new_secret,
    signed_headers,
)
from marketing_platform.errors import AutomationError, StoreUnavailable
from marketing_platform.releases.records import Records, open_records
from marketing_platform.settings import Settings
from marketing_platform.stores.objects_folder import FolderObjects
from marketing_platform_tests.serving.conftest import Response
from marketing_platform_tests.serving.test_errors import error_of
from serving.app import create_app

pytestmark = pytest.mark.slow

_DECLARED = """
hooks:
  - {name: orders, land: "shop/orders_{call}.csv"}
  - {name: release, run: publish}
"""
_LATIN = "Straße;1\n".encode("latin-1")


@dataclass
class Hooked:
    """An API that takes calls; no release is needed."""

    settings: Settings
    client: TestClient
    secret: str

    @property
    def records(self) -> Records:
        return open_records(self.settings)

    def landed(self) -> dict[str, bytes]:
        root = self.settings.landing_dir
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.csv")}

    def headers(
        self, body: bytes, *, call_id: str = "msg_1", age: int = 0, secret: str = ""
    ) -> dict[str, str]:
        return signed_headers(keys_of(secret or self.secret), call_id, int(time.time()) - age, body)

    def call(
        self, body: bytes = b"{}", *, hook: str = "orders", signed: bytes | None = None, **more: Any
    ) -> Response:
        headers = self.headers(body if signed is None else signed, **more)
        return self.client.post(f"/api/v1/hooks/{hook}", content=body, headers=headers)


@pytest.fixture
def hooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooked]:
    secret = new_secret()
    for hook in ("ORDERS", "RELEASE"):
        monkeypatch.setenv(f"MARKETING_HOOK_SECRET_{hook}", secret)
    (tmp_path / "webhooks.yaml").write_text(_DECLARED)
    settings = Settings(data_dir=tmp_path / "data", automations_dir=tmp_path)  # pyright: ignore[reportCallIssue]
    with TestClient(create_app(settings)) as client:
        yield Hooked(settings, client, secret)


def test_a_call_lands_its_body_byte_by_byte(hooked: Hooked) -> None:
    answer = hooked.call(_LATIN)
    assert answer.status_code == 202
    receipt = answer.json()
    assert (receipt["call_id"], receipt["hook"], receipt["status"]) == ("msg_1", "orders", "landed")
    assert hooked.landed() == {receipt["object"]: _LATIN}
    assert receipt["object"].startswith("shop/orders_")


def test_a_call_asks_for_a_run(hooked: Hooked) -> None:
    receipt = hooked.call(hook="release").json()
    assert (receipt["status"], receipt["job"], receipt["object"]) == ("asked", "publish", None)
    assert len(hooked.records.calls.waiting("publish")) == 1
    assert hooked.landed() == {}


def test_signed_anew_it_gets_the_same_receipt_and_nothing_happens_twice(hooked: Hooked) -> None:
    for hook in ("orders", "release"):
        first = hooked.call(_LATIN, hook=hook, age=20)
        again = hooked.call(_LATIN, hook=hook, age=10)
        assert (again.status_code, again.content) == (202, first.content)
    assert len(hooked.landed()) == 1
    assert len(hooked.records.calls.waiting("publish")) == 1


def test_the_very_same_message_again_is_refused(hooked: Hooked) -> None:
    headers = hooked.headers(_LATIN, age=10)
    assert hooked.client.post("/api/v1/hooks/orders", content=_LATIN, headers=headers).status_code == 202
    answer = hooked.client.post("/api/v1/hooks/orders", content=_LATIN, headers=headers)
    error_of(answer, 409, "call_repeated")
    assert answer.json()["details"] == {"reason": "replayed"}


def test_an_id_means_one_body(hooked: Hooked) -> None:
    hooked.call(b"a", age=10)
    answer = hooked.call(b"b")
    error_of(answer, 409, "call_repeated")
    assert answer.json()["details"] == {"reason": "other_body"}
    assert list(hooked.landed().values()) == [b"a"]
    assert hooked.call(b"b", hook="release").status_code == 202  # another hook, another sender


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"signed": b"another body"}, "wrong_signature"),
        ({"secret": new_secret}, "wrong_signature"),
        ({"hook": "unknown"}, "wrong_signature"),
        ({"age": 400}, "too_old"),
        ({"age": -600}, "too_new"),
    ],
    ids=["body", "secret", "hook", "old", "new"],
)
def test_what_is_not_signed_rightly_does_nothing(hooked: Hooked, wrong: dict[str, Any], reason: str) -> None:
    answer = hooked.call(**{name: value() if callable(value) else value for name, value in wrong.items()})
    error_of(answer, 401, "invalid_signature")
    assert answer.json()["details"] == {"reason": reason}
    assert answer.headers["WWW-Authenticate"] == 'Signature realm="marketing-platform"'
    assert hooked.landed() == {}


@pytest.mark.parametrize("missing", [ID, TIMESTAMP, SIGNATURE])
def test_a_key_is_no_signature(hooked: Hooked, missing: str) -> None:
    headers = signed_headers(keys_of(hooked.secret), "msg", int(time.time()), b"")
    del headers[missing]
    answer = hooked.client.post("/api/v1/hooks/orders", headers={**headers, "X-API-Key": "mp_anything"})
    error_of(answer, 401, "invalid_signature")
    assert answer.json()["details"] == {"reason": "missing"}


def test_secrets_are_changed_while_it_runs(hooked: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = new_secret()
    monkeypatch.setenv("MARKETING_HOOK_SECRET_ORDERS", f"{newer}\n{hooked.secret}")
    assert hooked.call(call_id="by-old").status_code == 202
    assert hooked.call(call_id="by-new", secret=newer).status_code == 202
    monkeypatch.setenv("MARKETING_HOOK_SECRET_ORDERS", newer)
    assert hooked.call(call_id="by-old-again").status_code == 401


def test_a_body_has_its_cap(hooked: Hooked) -> None:
    error_of(hooked.call(b"x" * ((1 << 20) + 1)), 413, "body_too_large")
    assert hooked.landed() == {}


def test_of_many_at_once_one_has_its_effect(hooked: Hooked) -> None:
    answers: list[int] = []

    def call(age: int) -> None:
        answers.append(hooked.call(_LATIN, hook="release", age=age).status_code)

    callers = [Thread(target=call, args=(age,)) for age in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert set(answers) <= {202, 409}
    assert answers.count(202) >= 1
    assert len(hooked.records.calls.waiting("publish")) == 1


def test_a_kill_between_landing_and_receipt_costs_nothing(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> bool:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("marketing_platform.releases.calls.Calls.note", killed)
        with pytest.raises(SystemExit):
            hooked.client.app.state.hooks._take(  # type: ignore[attr-defined]
                "orders", {name: [value] for name, value in hooked.headers(_LATIN, age=10).items()}, _LATIN
            )
    assert list(hooked.landed().values()) == [_LATIN]
    assert hooked.call(_LATIN).status_code == 202
    assert list(hooked.landed().values()) == [_LATIN]


def test_storage_that_is_away_is_a_503_and_the_next_attempt_lands(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the bucket does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(FolderObjects, "create", away)
        error_of(hooked.call(_LATIN, age=10), 503, "store_unavailable")
    assert hooked.call(_LATIN).status_code == 202


@pytest.mark.parametrize("declared", ["hooks: [{name: a}]", "hooks: [{name: b, run: publish}]"])
def test_what_is_declared_wrongly_starts_no_api(tmp_path: Path, declared: str) -> None:
    (tmp_path / "webhooks.yaml").write_text(declared)
    settings = Settings(data_dir=tmp_path / "data", automations_dir=tmp_path)  # pyright: ignore[reportCallIssue]
    with ExitStack() as stack, pytest.raises(AutomationError):
        stack.enter_context(TestClient(create_app(settings)))
