"""What an API key looks like: `mp_<id>_<secret>_<checksum>`.

The id may be shown and stored; the 32 letters of the secret carry 190 bits. The checksum is a CRC-32, as in
GitHub's tokens: who scans for leaked keys, or mistypes one, learns without asking that it is none. All parts
are base 62, so that a double click selects the whole key. A key is stored only as its HMAC-SHA256 under a
secret of the installation; a slow hash would add nothing to 190 random bits.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
import zlib

PREFIX = "mp_"
ID_LENGTH = 13  # of the public part, the prefix included

_RANDOM_LENGTH = ID_LENGTH - len(PREFIX)
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_DIGITS = string.digits + string.ascii_lowercase
_SECRET_LENGTH = 32
_CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
_SHAPE = re.compile(
    rf"(?P<id>mp_[0-9a-z]{{{_RANDOM_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)
_PURPOSE = b"marketing-platform api key\0"  # what else the installation's secret may sign is something else


def new_key() -> str:
    """A key that nobody had before."""
    public = "".join(secrets.choice(_ID_DIGITS) for _ in range(_RANDOM_LENGTH))
    private = "".join(secrets.choice(_DIGITS) for _ in range(_SECRET_LENGTH))
    body = f"{PREFIX}{public}_{private}"
    return f"{body}_{checksum(body)}"


def key_id(key: str) -> str | None:
    """The public part, `mp_<id>`; None when `key` is not a key, by its looks or its checksum."""
    found = _SHAPE.fullmatch(key)
    if found is None or found["checksum"] != checksum(key[: -_CHECKSUM_LENGTH - 1]):
        return None
    return found["id"]


def checksum(body: str) -> str:
    """The CRC-32 of everything before it, six digits to the base 62."""
    rest = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def mac(key: str, secret: bytes) -> bytes:
    """What is stored of a key: 32 bytes that say nothing without the installation's `secret`."""
    return hmac.digest(secret, _PURPOSE + key.encode(), "sha256")
