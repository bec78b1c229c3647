"""Tokens: whose they are, and every known way to forge one is refused for its own reason."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.access import Principal, Refusal, Refused, Scope
from marketing_platform.access.token_keys import PublishedKeys, SharedSecret, token_keys
from marketing_platform.access.token_settings import TokenSettings
from marketing_platform.access.tokens import TokenVerifier
from marketing_platform_tests.access.issuer import (
    AUDIENCE,
    ISSUER,
    SHARED,
    by_hand,
    claims,
    ec_entry,
    ec_key,
    jwks,
    public_pem,
    rsa_entry,
    rsa_key,
    token,
)

_SECRET = b"of this installation, and long enough"


def settings(**given: Any) -> TokenSettings:
    return TokenSettings(issuer=ISSUER, audience=AUDIENCE, **given)


def verifier(given: TokenSettings) -> TokenVerifier:
    keys = token_keys(given)
    keys.refresh()
    return TokenVerifier(given, keys, _SECRET)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(rsa_entry("one"), ec_entry("two")))
    return path


@pytest.fixture
def verify(published: Path) -> TokenVerifier:
    return verifier(settings(jwks_file=published))


def why(verify: TokenVerifier, credential: str) -> Refusal | None:
    found = verify.find(credential)
    return found.why if isinstance(found, Refused) else None


def test_a_token_is_a_users_unless_it_says_otherwise(verify: TokenVerifier) -> None:
    user = verify.find(token(scope="read:recommendations read:analytics admin"))
    assert isinstance(user, Principal)
    assert (user.kind, user.user_id, user.scopes) == ("user", "u-1", {Scope.READ_RECOMMENDATIONS})
    assert user.id.startswith("user:")
    assert "u-1" not in user.id, "ids are logged"
    again = verify.find(token(iat=int(time.time()) - 5))
    assert isinstance(again, Principal)
    assert again.id == user.id, "limits follow the user, not the token"


def test_a_services_token_has_the_scopes_it_names(verify: TokenVerifier) -> None:
    found = verify.find(token(sub="crm", principal="service", scope="write:data openid read:analytics"))
    assert found == Principal("service:crm", "service", frozenset({Scope.WRITE_DATA, Scope.READ_ANALYTICS}))


@pytest.mark.parametrize(
    ("algorithm", "kid", "key"), [("RS256", "one", rsa_key()), ("ES256", "two", ec_key())], ids=["RSA", "EC"]
)
def test_both_kinds_of_published_keys_verify(
    verify: TokenVerifier, algorithm: str, kid: str, key: Any
) -> None:
    for _ in range(2):  # the second time it is remembered
        assert why(verify, token(key, algorithm, kid)) is None


def test_a_shared_secret_verifies() -> None:
    verify = verifier(settings(secret=SHARED))
    assert why(verify, token(SHARED, "HS256", None)) is None
    assert why(verify, token(SHARED, "HS256", "whatever")) is None
    assert why(verify, token("another secret, as long as the one that is shared", "HS256")) is (
        Refusal.WRONG_SIGNATURE
    )
    assert why(verify, token(2 * SHARED, "HS384")) is Refusal.WRONG_ALGORITHM
    assert why(verify, token()) is Refusal.WRONG_ALGORITHM


_NOW = int(time.time())


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"exp": _NOW - 3600}, Refusal.EXPIRED),
        ({"nbf": _NOW + 3600}, Refusal.NOT_YET_VALID),
        ({"iat": _NOW + 3600}, Refusal.NOT_YET_VALID),
        ({"iss": "https://login.example.evil"}, Refusal.WRONG_ISSUER),
        ({"aud": "billing"}, Refusal.WRONG_AUDIENCE),
        ({"aud": ["billing", "sales"]}, Refusal.WRONG_AUDIENCE),
        ({"exp": None}, Refusal.WRONG_CLAIMS),
        ({"iss": None}, Refusal.WRONG_CLAIMS),
        ({"aud": None}, Refusal.WRONG_CLAIMS),
        ({"sub": None}, Refusal.WRONG_CLAIMS),
        ({"sub": ""}, Refusal.WRONG_CLAIMS),
        ({"sub": "x" * 257}, Refusal.WRONG_CLAIMS),
        ({"scope": ["read:recommendations"]}, Refusal.WRONG_CLAIMS),
        ({"principal": "root"}, Refusal.WRONG_CLAIMS),
        ({"principal": ["service"]}, Refusal.WRONG_CLAIMS),
    ],
    ids=range(15),
)
def test_claims_have_to_be_right(verify: TokenVerifier, changed: dict[str, Any], refusal: Refusal) -> None:
    assert why(verify, token(**changed)) is refusal


def test_an_audience_may_be_one_of_several(verify: TokenVerifier) -> None:
    assert why(verify, token(aud=["billing", AUDIENCE])) is None


def test_clocks_may_be_off_by_as_much_as_is_set(published: Path) -> None:
    now = int(time.time())
    lenient = verifier(settings(jwks_file=published, leeway_seconds=60))
    strict = verifier(settings(jwks_file=published, leeway_seconds=0))
    for off in ({"exp": now - 20}, {"nbf": now + 20}, {"iat": now + 20}):
        assert why(lenient, token(**off)) is None
        assert why(strict, token(**off)) is not None


def test_unsigned_is_refused_however_it_is_written(verify: TokenVerifier) -> None:
    shared = verifier(settings(secret=SHARED))
    for algorithm in ("none", "None", "NONE", "nOnE", "", None):
        forged = by_hand({"alg": algorithm, "kid": "one", "typ": "JWT"}, claims(principal="service"))
        assert why(verify, forged) in {Refusal.WRONG_ALGORITHM, Refusal.MALFORMED}
        assert why(shared, forged) in {Refusal.WRONG_ALGORITHM, Refusal.MALFORMED}


def test_a_public_key_is_no_shared_secret(verify: TokenVerifier) -> None:
    """Algorithm confusion: HS256, signed with what everybody has, in each form it is published in."""
    entry = rsa_entry("one")
    for secret in (public_pem(rsa_key()), public_pem(rsa_key()).strip(), jwks(entry), entry["n"].encode()):
        forged = by_hand({"alg": "HS256", "kid": "one"}, claims(), secret)
        assert why(verify, forged) is Refusal.WRONG_ALGORITHM


def test_a_key_has_one_algorithm(verify: TokenVerifier) -> None:
    for algorithm in ("RS384", "RS512", "PS256"):
        assert why(verify, token(algorithm=algorithm)) is Refusal.WRONG_ALGORITHM
    assert why(verify, token(ec_key(), "ES256", "one")) is Refusal.WRONG_ALGORITHM, "the other's key id"
    assert why(verify, token(kid="two")) is Refusal.WRONG_ALGORITHM


def test_somebody_elses_key_is_refused_wherever_the_token_says_it_is(verify: TokenVerifier) -> None:
    mine = rsa_key("mine")
    assert why(verify, token(mine)) is Refusal.WRONG_SIGNATURE
    public = rsa_entry("one", mine)
    for header in (
        {"jwk": public},
        {"jku": "http://127.0.0.1:1/jwks.json"},
        {"x5u": "http://127.0.0.1:1/cert.pem"},
        {"x5c": ["MIIB"]},
    ):
        forged = jwt.encode(claims(), mine, "RS256", {"kid": "one", **header})
        assert why(verify, forged) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("kid", ["three", "", "../../etc/passwd", "' OR 1=1 --", "one\0", None], ids=range(6))
def test_an_unknown_key_id_is_refused(verify: TokenVerifier, kid: str | None) -> None:
    assert why(verify, token(kid=kid)) is Refusal.UNKNOWN


def test_extensions_that_must_be_understood_are_not(verify: TokenVerifier) -> None:
    forged = jwt.encode(claims(), rsa_key(), "RS256", {"kid": "one", "crit": ["b64"], "b64": True})
    assert why(verify, forged) is Refusal.MALFORMED


def test_a_changed_claim_breaks_the_signature(verify: TokenVerifier) -> None:
    header, _, signature = token().split(".")
    _, other, _ = token(sub="u-2").split(".")
    assert why(verify, f"{header}.{other}.{signature}") is Refusal.WRONG_SIGNATURE


def test_an_oversized_one_is_not_even_read(verify: TokenVerifier) -> None:
    assert why(verify, token(padding="x" * 9000)) is Refusal.TOO_LONG
    assert why(verify, "." * 100_000) is Refusal.TOO_LONG


@given(st.text(max_size=200))
def test_no_text_crashes_it(text: str) -> None:
    verify = TokenVerifier(settings(secret=SHARED), SharedSecret(SHARED), _SECRET)
    assert isinstance(verify.find(text), Refused)
    assert isinstance(verify.find(f"eyJhbGciOiJIUzI1NiJ9.{text}.x"), Refused)


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"{", b'{"exp": 1e999}', b"\xff", b"[" * 3000], ids=range(6)
)
def test_signed_nonsense_is_refused(body: bytes) -> None:
    verify = verifier(settings(secret=SHARED))
    assert why(verify, by_hand({"alg": "HS256"}, body, SHARED.encode())) is not None


@pytest.mark.parametrize("value", ["soon", 1e999, float("nan"), [], {}], ids=range(5))
def test_moments_that_are_none_are_refused(value: Any) -> None:
    verify = verifier(settings(secret=SHARED))
    for claim in ("exp", "nbf", "iat"):
        forged = by_hand({"alg": "HS256"}, claims(**{claim: value}), SHARED.encode())
        assert why(verify, forged) is not None, claim


def test_an_issuer_is_a_text_and_no_list_that_holds_it() -> None:
    verify = verifier(settings(secret=SHARED))
    assert why(verify, by_hand({"alg": "HS256"}, claims(), SHARED.encode())) is None
    forged = by_hand({"alg": "HS256"}, claims(iss=[ISSUER]), SHARED.encode())
    assert why(verify, forged) is Refusal.WRONG_ISSUER


def test_what_is_remembered_ends_with_the_key_and_is_bounded(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketing_platform.access.tokens._REMEMBERED", 3)
    verify = verifier(settings(jwks_file=published))
    good = token()
    assert why(verify, good) is None
    for number in range(10):
        assert why(verify, token(sub=f"u-{number}")) is None
        assert why(verify, token(rsa_key("mine"), sub=f"u-{number}")) is Refusal.WRONG_SIGNATURE
        assert len(verify._verified) <= 3
    assert why(verify, good) is None
    published.write_bytes(jwks(rsa_entry("one", rsa_key("mine"))))
    verify.keys.refresh()
    assert why(verify, good) is Refusal.WRONG_SIGNATURE


def test_what_is_remembered_expires(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verify = verifier(settings(jwks_file=published, leeway_seconds=0))
    good = token(exp=int(time.time()) + 2)
    assert why(verify, good) is None
    deadline = time.monotonic() + 10
    while why(verify, good) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert why(verify, good) is Refusal.EXPIRED


def test_before_keys_were_read_nobody_can_tell(published: Path) -> None:
    given = settings(jwks_file=published)
    keys = token_keys(given)
    assert isinstance(keys, PublishedKeys)
    assert why(TokenVerifier(given, keys, _SECRET), token()) is Refusal.UNAVAILABLE
