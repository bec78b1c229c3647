"""Who may ask what: 401 without a good key, 403 before anything is looked up, and both in one second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from marketing_platform.access import Principal, Refused, Scope
from marketing_platform.access.api_settings import api_secret
from marketing_platform.access.issuing import rotate
from marketing_platform.access.keyring import KeyRing
from marketing_platform.access.keys import key_id, new_key
from marketing_platform.access.register import KeyRegister
from marketing_platform.access.token_keys import PublishedKeys
from marketing_platform.access.token_settings import TokenSettings
from marketing_platform.access.tokens import TokenVerifier
from marketing_platform.releases.records import open_records
from marketing_platform_tests import callers
from marketing_platform_tests.access.issuer import (
    AUDIENCE,
    ISSUER,
    by_hand,
    claims,
    jwks,
    rsa_entry,
    rsa_key,
    token,
)
from marketing_platform_tests.callers import bearer
from marketing_platform_tests.serving.conftest import Logged, Platform, await_until, encoder
from marketing_platform_tests.serving.test_errors import error_of
from serving.access.gatekeeper import Gatekeeper, gatekeeper
from serving.app import create_app

pytestmark = pytest.mark.slow

READ_ONE = {
    "/recommendations/u-1": Scope.READ_RECOMMENDATIONS,
    "/recommendations/u-1?message=hello": Scope.READ_RECOMMENDATIONS,
    "/recommendations/similar-users?user_id=u-1": Scope.READ_RECOMMENDATIONS,
    "/api/v1/users/u-1/recommendations": Scope.READ_RECOMMENDATIONS,
    "/api/v1/users/u-1/recommendations?kind=campaign": Scope.READ_RECOMMENDATIONS,
    "/api/v1/users/u-1/features": Scope.READ_RECOMMENDATIONS,
    "/graph/user-campaigns?user_id=u-1": Scope.READ_RECOMMENDATIONS,
    "/api/v1/graph/user-campaigns?user_id=u-1": Scope.READ_RECOMMENDATIONS,
    "/api/v1/users/u-1/profile-graph": Scope.READ_RECOMMENDATIONS,
}
READ_ALL = {
    "/analytics/user-engagement": Scope.READ_ANALYTICS,
    "/analytics/user-engagement?user_id=u-1": Scope.READ_ANALYTICS,
    "/analytics/campaign-performance": Scope.READ_ANALYTICS,
    "/analytics/daily-activity": Scope.READ_ANALYTICS,
}
AUDIT = dict.fromkeys(("/api/v1/releases", "/api/v1/releases/current", "/api/v1/batches"), Scope.READ_AUDIT)
PROTECTED = READ_ONE | READ_ALL | AUDIT | {"/metrics": Scope.READ_ANALYTICS}
REQUIRED = dict.fromkeys(("/recommendations/similar-users", "/graph/user-campaigns"), "?user_id=u-1")
OPEN = ["/api/v1/health", "/openapi.json", "/docs"]


@pytest.fixture(scope="module")
def jwks_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("issuer") / "jwks.json"
    path.write_bytes(jwks(rsa_entry("one")))
    return path


@pytest.fixture(scope="module")
def anybody(client: TestClient, platform: Platform, jwks_file: Path) -> Iterator[TestClient]:
    """A second API over the release of `client`, which takes tokens too; it sends what a test sends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETING_JWT_ISSUER", ISSUER)
        patch.setenv("MARKETING_JWT_AUDIENCE", AUDIENCE)
        patch.setenv("MARKETING_JWT_JWKS_FILE", str(jwks_file))
        app = platform.app()
    with TestClient(app, raise_server_exceptions=False) as opened:
        await_until(lambda: opened.get("/api/v1/health").json()["live_path"] == "ready")
        yield opened


def key(platform: Platform, *scopes: Scope, lifetime: timedelta | None = None) -> str:
    return callers.new_key(platform.settings, scopes or tuple(Scope), lifetime=lifetime)


@pytest.mark.parametrize("url", PROTECTED)
def test_without_a_key_nothing_is_answered(anybody: TestClient, url: str) -> None:
    answer = anybody.get(url)
    error_of(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="marketing-platform"'
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("url", OPEN)
@pytest.mark.parametrize("headers", [{}, bearer("nonsense")], ids=["without", "wrong"])
def test_health_and_the_description_are_open(anybody: TestClient, url: str, headers: dict[str, str]) -> None:
    assert anybody.get(url, headers=headers).status_code == 200


@pytest.mark.parametrize("url", PROTECTED)
def test_a_key_needs_the_scope_and_no_other(anybody: TestClient, platform: Platform, url: str) -> None:
    needed = PROTECTED[url]
    assert anybody.get(url, headers=bearer(key(platform, needed))).status_code == 200
    good = {needed, Scope.ADMIN} if url in AUDIT else {needed}
    others = [scope for scope in Scope if scope not in good]
    answer = anybody.get(url, headers=bearer(key(platform, *others)))
    assert error_of(answer, 403, "forbidden_scope")["details"] == {"scope": needed.value}
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_both_headers_carry_a_key_but_not_at_once(anybody: TestClient, platform: Platform) -> None:
    good = key(platform)
    url = "/recommendations/u-1"
    for headers in (bearer(good), {"X-API-Key": good}, {"authorization": f"bearer  {good} "}):
        assert anybody.get(url, headers=headers).status_code == 200, headers
    twice: Any = [*bearer(good).items(), ("X-API-Key", good)]
    again: Any = [*bearer(good).items(), *bearer(good).items()]
    for headers in (twice, again):
        answer = anybody.get(url, headers=headers)
        assert error_of(answer, 401, "invalid_credentials")["details"] == {"reason": "ambiguous"}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (bearer("mp_0123456789"), "malformed"),
        ({"Authorization": "Basic dTpw"}, "malformed"),
        ({"Authorization": "Bearer"}, "malformed"),
        ({"X-API-Key": ""}, "malformed"),
        ({"X-API-Key": "a.b.c"}, "malformed"),
        ({"Authorization": f"Basic {new_key()}"}, "malformed"),
        ({"X-API-Key": "ключ".encode()}, "malformed"),
        (bearer("x" * 9000), "too_long"),
        (bearer("a.b.c"), "malformed"),
    ],
    ids=range(9),
)
def test_what_is_no_credential_is_told_without_repeating_it(
    anybody: TestClient, headers: Any, reason: str
) -> None:
    answer = anybody.get("/recommendations/u-1", headers=headers)
    assert error_of(answer, 401, "invalid_credentials")["details"] == {"reason": reason}
    assert answer.headers["WWW-Authenticate"].endswith('error="invalid_token"')


def test_keys_that_are_good_no_longer_or_never_were(anybody: TestClient, platform: Platform) -> None:
    register = open_records(platform.settings).keys
    revoked = key(platform)
    register.revoke(str(key_id(revoked)), at=datetime.now(UTC), who="tests")
    expired = key(platform, lifetime=timedelta(seconds=-1))
    url = "/recommendations/u-1"
    await_until(lambda: anybody.get(url, headers=bearer(revoked)).status_code == 401)
    for credential, reason in ((revoked, "revoked"), (expired, "expired"), (new_key(), "unknown")):
        answer = anybody.get("/recommendations/u-1", headers=bearer(credential))
        assert error_of(answer, 401, "invalid_credentials")["details"] == {"reason": reason}
        assert credential not in answer.text


def test_401_and_403_come_before_parameters_are_read(anybody: TestClient, platform: Platform) -> None:
    wrong = "/analytics/daily-activity?limit=0&from=never"
    error_of(anybody.get(wrong), 401, "unauthenticated")
    only = bearer(key(platform, Scope.ADMIN))
    error_of(anybody.get(wrong, headers=only), 403, "forbidden_scope")
    error_of(anybody.get(wrong, headers=bearer(key(platform))), 422, "invalid_parameter")


@pytest.mark.parametrize("url", READ_ONE)
def test_a_users_token_reads_that_user(anybody: TestClient, url: str) -> None:
    assert anybody.get(url, headers=bearer(token(sub="u-1"))).status_code == 200
    error_of(anybody.get(url, headers=bearer(token(sub="u-2"))), 403, "forbidden_user")
    error_of(anybody.get(url, headers=bearer(token(sub="u-1", scope=""))), 403, "forbidden_scope")


@pytest.mark.parametrize(
    "url",
    [
        *("/recommendations/u-1?user_id=u-2", "/api/v1/users/u-1/recommendations?user_id=u-2"),
        *("/api/v1/users/u-2/profile-graph", "/api/v1/users/u-1/profile-graph?user_id=u-2"),
        *("/graph/user-campaigns?user_id=u-1&user_id=u-2", "/graph/user-campaigns?user_id=u-2&user_id=u-1"),
        *("/recommendations/u-1%2F..%2Fu-2", "/recommendations/u-1%00", "/recommendations/U-1"),
        *("/graph/user-campaigns", "/graph/user-campaigns?user_id=", "/graph/user-campaigns?USER_ID=u-1"),
    ],
)
def test_a_users_token_is_not_talked_round(anybody: TestClient, url: str) -> None:
    error_of(anybody.get(url, headers=bearer(token(sub="u-1"))), 403, "forbidden_user")


@pytest.mark.parametrize("url", READ_ALL)
def test_a_users_token_reads_no_figures(anybody: TestClient, url: str) -> None:
    asked = token(sub="u-1", scope=" ".join(Scope))
    error_of(anybody.get(url, headers=bearer(asked)), 403, "forbidden_scope")


def test_a_services_token_reads_what_its_scopes_name(anybody: TestClient) -> None:
    service = bearer(token(sub="crm", principal="service", scope="read:recommendations"))
    assert anybody.get("/recommendations/u-1", headers=service).status_code == 200
    error_of(anybody.get("/analytics/daily-activity", headers=service), 403, "forbidden_scope")


def test_forged_and_stale_tokens_are_401(anybody: TestClient) -> None:
    unsigned = by_hand({"alg": "none", "kid": "one"}, claims(principal="service"))
    stale = token(exp=int(time.time()) - 3600)
    for credential, reason in ((unsigned, "wrong_algorithm"), (stale, "expired")):
        answer = anybody.get("/recommendations/u-1", headers=bearer(credential))
        assert error_of(answer, 401, "invalid_credentials")["details"] == {"reason": reason}


def test_without_an_issuer_no_token_is_taken(client: TestClient) -> None:
    answer = client.get("/recommendations/u-1", headers=bearer(token()))
    assert error_of(answer, 401, "invalid_credentials")["details"] == {"reason": "no_tokens"}


class Untouchable:
    """Every datastore there is: touching it is a failure."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was looked up")


def test_403_and_401_look_nothing_up(fresh_platform: Platform, jwks_file: Path) -> None:
    """With these stores every look-up is a 500, and every refusal still what it is."""
    fresh_platform.publish(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETING_JWT_ISSUER", ISSUER)
        patch.setenv("MARKETING_JWT_AUDIENCE", AUDIENCE)
        patch.setenv("MARKETING_JWT_JWKS_FILE", str(jwks_file))
        app = create_app(fresh_platform.settings, encoder=encoder, poll_seconds=60)
    with TestClient(app, raise_server_exceptions=False) as client:
        release = app.state.holder.current
        release._answers = release._stores = release._graph = Untouchable()
        for url in READ_ONE:
            error_of(client.get(url, headers=bearer(token(sub="u-2"))), 403, "forbidden_user")
            error_of(client.get(url), 401, "unauthenticated")
            assert client.get(url, headers=bearer(token(sub="u-1"))).status_code == 500
        for url in READ_ALL:
            error_of(client.get(url, headers=bearer(token(sub="u-1"))), 403, "forbidden_scope")
        release._answers = {}
        release._graph = None


def let_in(api: TestClient, credential: str) -> bool:
    """Whether the API would answer; without a release it says so, which is no 401."""
    answer = api.get("/recommendations/u-1", headers=bearer(credential))
    assert answer.json()["error_code"] in {"invalid_credentials", "no_release"}
    return answer.status_code != 401


def test_a_new_key_is_good_at_once_and_a_revoked_one_ends_within_a_second_everywhere(
    fresh_platform: Platform,
) -> None:
    settings, register = fresh_platform.settings, open_records(fresh_platform.settings).keys
    with ExitStack() as stack:
        apis = [stack.enter_context(TestClient(create_app(settings, encoder=encoder))) for _ in range(2)]

        def seconds_until_nobody_lets_it_in() -> float:
            made = key(fresh_platform)
            assert all(let_in(api, made) for api in apis)
            began = time.monotonic()
            register.revoke(str(key_id(made)), at=datetime.now(UTC), who="tests")
            await_until(lambda: not any(let_in(api, made) for api in apis))
            return time.monotonic() - began

        took = sorted(seconds_until_nobody_lets_it_in() for _ in range(3))
    assert took[1] < 1, "the middle one: a busy machine may hold up one"


def test_rotation_overlaps(fresh_platform: Platform) -> None:
    settings, now = fresh_platform.settings, datetime.now(UTC)
    old = key(fresh_platform)
    with TestClient(fresh_platform.app()) as api:
        new, _, _ = rotate(
            open_records(settings).keys,
            api_secret(settings),
            str(key_id(old)),
            overlap=timedelta(seconds=3),
            who="tests",
            now=now,
        )
        assert let_in(api, new)
        assert let_in(api, old)
        await_until(lambda: not let_in(api, old))
        assert datetime.now(UTC) - now >= timedelta(seconds=3)
        assert let_in(api, new)


def test_the_last_use_is_written_beside_the_requests(fresh_platform: Platform) -> None:
    began = datetime.now(UTC)
    with fresh_platform.client() as api:
        api.get("/recommendations/u-1")
    (record,) = open_records(fresh_platform.settings).keys.all()
    assert record.last_used_at is not None
    assert record.last_used_at >= began


def test_denials_and_changes_are_logged_without_secrets(fresh_platform: Platform, logged: Logged) -> None:
    with fresh_platform.client() as api:
        made = key(fresh_platform, Scope.ADMIN)
        answer = api.get("/recommendations/u-1", headers=bearer(made))
        open_records(fresh_platform.settings).keys.revoke(str(key_id(made)), at=datetime.now(UTC), who="cleo")
        await_until(lambda: any(line["event"] == "key revoked" for line in logged))
        api.get("/recommendations/u-1", headers=bearer(made))
    denied = [line for line in logged if line["event"] == "security"]
    assert [(line["kind"], line["reason"]) for line in denied] == [
        ("forbidden", "forbidden_scope"),
        ("unauthenticated", "revoked"),
    ]
    assert {line["principal"] for line in denied} == {key_id(made)}
    assert denied[0]["request_id"] == answer.headers["X-Request-Id"]
    (revoked,) = (line for line in logged if line["event"] == "key revoked")
    assert (revoked["key_id"], revoked["who"]) == (key_id(made), "cleo")
    assert made.split("_")[2] not in str(logged)


def test_keys_that_cannot_be_read_are_a_503_and_what_is_open_goes_on(fresh_platform: Platform) -> None:
    headers = bearer(key(fresh_platform))
    (fresh_platform.settings.data_dir / "keys.sqlite").write_bytes(b"no database" * 1000)
    for suffix in ("-wal", "-shm"):
        (fresh_platform.settings.data_dir / f"keys.sqlite{suffix}").unlink(missing_ok=True)
    with TestClient(fresh_platform.app()) as api:
        answer = api.get("/recommendations/u-1", headers=headers)
        error_of(answer, 503, "store_unavailable")
        assert answer.headers["Retry-After"] == "2"
        assert api.get("/openapi.json").status_code == 200


def test_openapi_says_how_to_say_who_calls(anybody: TestClient) -> None:
    document = anybody.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert {(scheme["type"], scheme.get("scheme"), scheme.get("name")) for scheme in schemes.values()} == {
        ("http", "bearer", None),
        ("apiKey", None, "X-API-Key"),
        ("apiKey", None, "webhook-signature"),
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/api/v1/health"):
                assert "security" not in operation
                continue
            if path == "/api/v1/unsubscribe/{token}":  # the link in the e-mail is the permission
                assert "security" not in operation
                continue
            if path == "/api/v1/hooks/{name}":  # its signature says who calls
                assert operation["security"] == [{"signature": []}]
                continue
            ((name, scopes),) = operation["security"][0].items()
            assert name == "bearer"
            also_for_admins = path in AUDIT or path.startswith(("/api/v1/batches/", "/api/v1/receipts/"))
            assert len(scopes) == (2 if also_for_admins else 1), f"{method} {path}"
            assert operation["security"][1] == {"apiKey": scopes}
            assert {"401", "403"} <= set(operation["responses"])
            asked = path.replace("{user_id}", "u-1") + REQUIRED.get(path, "")
            if method == "get" and asked in PROTECTED:
                assert scopes[0] == PROTECTED[asked].value


class Counting(KeyRegister):
    """Counts how often it is asked, and is slow."""

    def __init__(self, register: KeyRegister) -> None:
        self._database = register._database
        self.asked = 0

    def revision(self) -> int:
        self.asked += 1
        time.sleep(0.05)
        return super().revision()


def test_a_flood_of_unknown_keys_shares_its_look_ups(fresh_platform: Platform) -> None:
    settings = fresh_platform.settings
    register = Counting(open_records(settings).keys)
    good = key(fresh_platform)

    async def flood() -> list[Principal | Refused]:
        keeper = Gatekeeper(KeyRing(register, lambda: api_secret(settings)), None, poll_seconds=60)
        async with keeper.running():
            asked = [keeper.principal_of([(b"x-api-key", new_key().encode())]) for _ in range(500)]
            waiting = asyncio.gather(*asked)
            await asyncio.sleep(0)
            known = await keeper.principal_of([(b"x-api-key", good.encode())])
            assert isinstance(known, Principal)
            assert not waiting.done(), "a good key waits for nobody"
            return await waiting

    assert all(isinstance(one, Refused) for one in asyncio.run(flood()))
    assert register.asked == 2, "one at the start, one for all of them"


def test_an_issuer_changes_its_keys(
    fresh_platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key id that nobody knew is looked up at once, and not again for each who makes one up."""
    monkeypatch.setattr("marketing_platform.access.token_keys._PAUSE_SECONDS", 0.5)
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(rsa_entry("one")))
    read: list[float] = []

    def document() -> bytes:
        read.append(time.monotonic())
        return path.read_bytes()

    issued = TokenSettings(issuer=ISSUER, audience=AUDIENCE, jwks_file=path)
    keys = PublishedKeys("here", document, seconds=300)
    verifier = TokenVerifier(issued, keys, api_secret(fresh_platform.settings))
    ring = KeyRing(open_records(fresh_platform.settings).keys, lambda: api_secret(fresh_platform.settings))

    async def story() -> tuple[int, int]:
        keeper = Gatekeeper(ring, lambda: verifier, poll_seconds=60)

        async def known(kid: str) -> bool:
            sent = bearer(token(rsa_key(kid), kid=kid))["Authorization"].encode()
            return isinstance(await keeper.principal_of([(b"authorization", sent)]), Principal)

        async with keeper.running():
            assert await known("one")
            path.write_bytes(jwks(rsa_entry("two", rsa_key("two"))))
            await asyncio.sleep(0.6)
            assert await known("two")
            assert not await known("one"), "remembered no longer than its key is published"
            before = len(read)
            await asyncio.gather(*(known(f"made-up-{number % 3}") for number in range(60)))
            return before, len(read)

    before, after = asyncio.run(story())
    assert before == 2
    assert after <= before + 2


def test_servers_without_the_secret_do_not_start(
    fresh_platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MARKETING_API_SECRET", raising=False)
    settings = fresh_platform.settings.model_copy(update={"profile": "servers"})
    with pytest.raises(Exception, match="MARKETING_API_SECRET is not set"):
        gatekeeper(settings, open_records(fresh_platform.settings).keys)


def test_a_principal_is_in_the_state_of_every_request(fresh_platform: Platform) -> None:
    """What limits and logs rely on: who calls, or None, on every path."""
    app = fresh_platform.app()

    @app.get("/who")
    def who(request: Request) -> str | None:
        return request.state.principal and request.state.principal.id

    made = key(fresh_platform)
    with TestClient(app) as api:
        assert api.get("/who").json() is None
        assert api.get("/who", headers=bearer("nonsense")).json() is None
        assert api.get("/who", headers=bearer(made)).json() == key_id(made)
