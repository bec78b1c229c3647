"""Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0.0): HMAC-SHA256, version `v1`.

Signed is `{webhook-id}.{webhook-timestamp}.{body}` with the body's bytes as they are. The library
`standardwebhooks` is held against this in the tests and not used: it decodes bodies as UTF-8, which a landed
file need not be, and its tolerance is fixed.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from marketing_platform.errors import InputError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_PREFIX = "whsec_"
_KEY_BYTES = (24, 64)  # what the specification asks for
_MOST_KEYS = 2  # the new one and, while it replaces it, the old one
_MOST_SIGNATURES = 10
_ID_FORM = re.compile(r"[\x21-\x7e]{1,255}")
_TIMESTAMP_FORM = re.compile(r"[0-9]{1,11}")


class Reason(StrEnum):
    """Why a call is not taken for what it claims to be."""

    MISSING = "missing"  # a header of the three is not there, or is there twice
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    WRONG_SIGNATURE = "wrong_signature"


class SignatureRefused(InputError):
    """A call is not signed as it has to be."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the signature is refused: {reason.value}")
        self.reason = reason


@dataclass(frozen=True)
class Signed:
    """What the headers of a call say that was signed rightly."""

    call_id: str
    timestamp: int  # seconds since 1970, when it was signed


def new_secret() -> str:
    """A secret of 32 random bytes, written as the specification has it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def keys_of(text: str) -> tuple[bytes, ...]:
    """The keys of one or two secrets, separated by white space, the one to come first.

    Raises:
        InputError: Something is no secret; the message does not repeat it.
    """
    keys = tuple(_key(part) for part in text.split())
    if not 1 <= len(keys) <= _MOST_KEYS:
        raise InputError("expected one secret, or two while the first replaces the second")
    return keys


def sign(keys: Sequence[bytes], call_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: a signature by each key, so that either end may change first."""
    return " ".join(f"v1,{base64.b64encode(_mac(key, call_id, timestamp, body)).decode()}" for key in keys)


def signed_headers(keys: Sequence[bytes], call_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a call."""
    return {ID: call_id, TIMESTAMP: str(timestamp), SIGNATURE: sign(keys, call_id, timestamp, body)}


def verify(
    keys: Sequence[bytes],
    headers: Mapping[str, Sequence[str]],
    body: bytes,
    *,
    now: datetime,
    tolerance: timedelta,
) -> Signed:
    """What was signed, by any of the keys and at most `tolerance` before or after `now`.

    Args:
        keys: Of the hook; with none, every signature is wrong.
        headers: The values of each header, by its name in lower case.
        body: As it was received.
        now: In UTC.
        tolerance: Between the clocks of both ends, and for the way.

    Raises:
        SignatureRefused: With the reason. Signatures are compared in constant time.
    """
    call_id, timestamp, signature = (_only(headers, name) for name in (ID, TIMESTAMP, SIGNATURE))
    if not _ID_FORM.fullmatch(call_id) or not _TIMESTAMP_FORM.fullmatch(timestamp):
        raise SignatureRefused(Reason.MALFORMED)
    offered = _offered(signature)
    expected = [_mac(key, call_id, int(timestamp), body) for key in keys]
    # Every pair is compared, so that time tells nothing about which key it was.
    matches = [hmac.compare_digest(mine, theirs) for mine in expected for theirs in offered]
    if not any(matches):
        raise SignatureRefused(Reason.WRONG_SIGNATURE)
    age = now.timestamp() - int(timestamp)
    if abs(age) > tolerance.total_seconds():
        raise SignatureRefused(Reason.TOO_OLD if age > 0 else Reason.TOO_NEW)
    return Signed(call_id, int(timestamp))


def _only(headers: Mapping[str, Sequence[str]], name: str) -> str:
    values = headers.get(name, ())
    if len(values) != 1:
        raise SignatureRefused(Reason.MISSING)
    return values[0]


def _offered(header: str) -> list[bytes]:
    """The signatures of version 1; others may stand beside them."""
    parts = header.split()[:_MOST_SIGNATURES]
    found = [part.removeprefix("v1,") for part in parts if part.startswith("v1,")]
    try:
        return [base64.b64decode(part, validate=True) for part in found]
    except ValueError:  # of base64, or of what is no ASCII
        raise SignatureRefused(Reason.MALFORMED) from None


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    least, most = _KEY_BYTES
    if not text.startswith(_PREFIX) or not least <= len(key) <= most:
        raise InputError(
            f"expected a secret as `marketing-platform webhooks secret` makes it: {_PREFIX} and {least} to"
            f" {most} bytes in base64"
        )
    return key


def _mac(key: bytes, call_id: str, timestamp: int, body: bytes) -> bytes:
    return hmac.digest(key, f"{call_id}.{timestamp}.".encode() + body, "sha256")
