"""Links to unsubscribe: signed, so that they need no key and nobody makes one for somebody else.

They hold for as long as the key is kept: RFC 8058 expects them to work as long as mails are kept.
"""

from __future__ import annotations

import base64
import hmac

PATH = "/api/v1/unsubscribe/"
_MAC_BYTES = 16
_LONGEST = 2_000


def unsubscribe_token(key: bytes, user_id: str) -> str:
    """Says who unsubscribes, in characters that stand in a path."""
    return f"{_text(user_id.encode())}.{_text(_mac(key, user_id))}"


def user_of(key: bytes, token: str) -> str | None:
    """Who unsubscribes with this token; None when it is not signed by the key. Takes constant time."""
    told, _, signed = token[:_LONGEST].partition(".")
    try:
        user_id, mac = _bytes(told).decode(), _bytes(signed)
    except ValueError:  # no base64, no UTF-8
        return None
    return user_id if hmac.compare_digest(mac, _mac(key, user_id)) else None


def _mac(key: bytes, user_id: str) -> bytes:
    return hmac.digest(key, b"unsubscribe\n" + user_id.encode(), "sha256")[:_MAC_BYTES]


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
