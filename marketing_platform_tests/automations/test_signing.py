"""Signatures: the specification's vector, the published library at either end, and whatever is changed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from marketing_platform.automations.signing import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    Reason,
    SignatureRefused,
    keys_of,
    new_secret,
    sign,
    signed_headers,
    verify,
)
from marketing_platform.errors import InputError

NOW = datetime(2026, 11, 21, 6, 30, 12, tzinfo=UTC)
MOMENT = int(NOW.timestamp())
FIVE = timedelta(minutes=5)
KEYS = keys_of(new_secret())

ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
secrets = st.binary(min_size=24, max_size=64).map(lambda key: f"whsec_{base64.b64encode(key).decode()}")


def received(headers: dict[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers.items()}


def refused(headers: dict[str, list[str]], body: bytes = b"{}", keys: tuple[bytes, ...] = KEYS) -> Reason:
    with pytest.raises(SignatureRefused) as caught:
        verify(keys, headers, body, now=NOW, tolerance=FIVE)
    return caught.value.reason


def test_the_vector_of_the_specification() -> None:
    """From the examples of standardwebhooks.com and of its libraries' tests."""
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(secret=secrets, call_id=ids, body=st.text(max_size=200))
def test_the_published_library_verifies_what_we_sign(secret: str, call_id: str, body: str) -> None:
    headers = signed_headers(keys_of(secret), call_id, int(datetime.now(UTC).timestamp()), body.encode())
    Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers, json_parse=False)


@given(secret=secrets, call_id=ids, body=st.text(max_size=200))
def test_we_verify_what_the_published_library_signs(secret: str, call_id: str, body: str) -> None:
    signature = Webhook(secret).sign(call_id, NOW, body)
    headers = {ID: [call_id], TIMESTAMP: [str(MOMENT)], SIGNATURE: [signature]}
    signed = verify(keys_of(secret), headers, body.encode(), now=NOW, tolerance=FIVE)
    assert (signed.call_id, signed.timestamp) == (call_id, MOMENT)


@given(call_id=ids, body=st.binary(max_size=100), other=st.binary(max_size=100))
def test_another_body_is_refused(call_id: str, body: bytes, other: bytes) -> None:
    assume(body != other)
    headers = received(signed_headers(KEYS, call_id, MOMENT, body))
    verify(KEYS, headers, body, now=NOW, tolerance=FIVE)
    assert refused(headers, other) is Reason.WRONG_SIGNATURE


@given(call_id=ids, other=ids)
def test_another_id_is_refused(call_id: str, other: str) -> None:
    assume(call_id != other)
    headers = received(signed_headers(KEYS, call_id, MOMENT, b"{}")) | {ID: [other]}
    assert refused(headers) is Reason.WRONG_SIGNATURE


def test_another_timestamp_is_refused_however_fresh() -> None:
    headers = received(signed_headers(KEYS, "msg", MOMENT - 3600, b"{}"))
    assert refused(headers) is Reason.TOO_OLD
    assert refused(headers | {TIMESTAMP: [str(MOMENT)]}) is Reason.WRONG_SIGNATURE


@given(age=st.integers(-10_000, 10_000))
def test_time_is_tolerated_on_both_sides(age: int) -> None:
    headers = received(signed_headers(KEYS, "msg", MOMENT - age, b"{}"))
    if abs(age) <= FIVE.total_seconds():
        verify(KEYS, headers, b"{}", now=NOW, tolerance=FIVE)
    else:
        assert refused(headers) is (Reason.TOO_OLD if age > 0 else Reason.TOO_NEW)


def test_secrets_change_without_a_call_refused() -> None:
    old, new = new_secret(), new_secret()
    both = keys_of(f"{new}\n{old}\n")
    for sender, receiver in ((old, both), (new, both), (both, old), (both, new)):
        signing = sender if isinstance(sender, tuple) else keys_of(sender)
        verifying = receiver if isinstance(receiver, tuple) else keys_of(receiver)
        headers = received(signed_headers(signing, "msg", MOMENT, b"{}"))
        verify(verifying, headers, b"{}", now=NOW, tolerance=FIVE)
    assert refused(received(signed_headers(keys_of(old), "msg", MOMENT, b"{}")), keys=keys_of(new))


@pytest.mark.parametrize("missing", [ID, TIMESTAMP, SIGNATURE])
def test_a_header_that_is_missing_or_there_twice(missing: str) -> None:
    headers = received(signed_headers(KEYS, "msg", MOMENT, b"{}"))
    assert refused({**headers, missing: []}) is Reason.MISSING
    assert refused({**headers, missing: headers[missing] * 2}) is Reason.MISSING


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (TIMESTAMP, "nan"),
        (TIMESTAMP, "-1"),
        (TIMESTAMP, "1e9"),
        (TIMESTAMP, "١٢٣"),
        (TIMESTAMP, "9" * 400),
        (ID, "two words"),
        (ID, "x" * 256),
        (SIGNATURE, "v1,not base64"),
        (SIGNATURE, "v1,ä"),
    ],
)
def test_what_is_malformed(name: str, value: str) -> None:
    headers = received(signed_headers(KEYS, "msg", MOMENT, b"{}")) | {name: [value]}
    assert refused(headers) is Reason.MALFORMED


def test_other_versions_prove_nothing() -> None:
    headers = received(signed_headers(KEYS, "msg", MOMENT, b"{}"))
    (good,) = headers[SIGNATURE]
    assert refused({**headers, SIGNATURE: [good.replace("v1,", "v2,")]}) is Reason.WRONG_SIGNATURE
    assert refused({**headers, SIGNATURE: [""]}) is Reason.WRONG_SIGNATURE
    verify(KEYS, {**headers, SIGNATURE: [f"v1a,AAAA {good}"]}, b"{}", now=NOW, tolerance=FIVE)
    assert refused(headers, keys=()) is Reason.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_AAAA", "changeme", "A" * 44, f"whsec_{'A' * 32} " * 3, "whsec_ä" * 9]
)
def test_what_is_no_secret_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InputError) as caught:
        keys_of(text)
    assert len(text) < 8 or text not in str(caught.value)


@given(st.binary(max_size=300), st.text(max_size=50), st.text(max_size=50), st.text(max_size=80))
def test_nothing_but_a_signature_gets_through(body: bytes, call_id: str, moment: str, signature: str) -> None:
    assert refused({ID: [call_id], TIMESTAMP: [moment], SIGNATURE: [signature]}, body) in Reason
