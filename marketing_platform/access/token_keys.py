"""Keys that tokens are verified with: a shared secret, or an issuer's JWKS from a file or a URL.

Each key has one algorithm, fixed by what it is. Where a token says its keys are (`jku`, `x5u`, `jwk`,
`x5c`) is never looked at.
"""

from __future__ import annotations

import base64
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol

import jwt
import orjson

from marketing_platform.access.token_settings import TokenSettings
from marketing_platform.errors import StoreUnavailable

_LONGEST = 64 * 1024  # bytes of a JWKS
_PORTION = 8 * 1024
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}
_TRUSTED_PERIODS = 12  # of jwks_seconds: how long keys count that cannot be read again
_PAUSE_SECONDS = 10.0  # between readings for the sake of a key id that nobody knows


class TokenKeys(Protocol):
    """Finds the key that a token names."""

    def find(self, kid: str | None) -> jwt.PyJWK | None:
        """The key; None when there is none of that id. Never blocks. StoreUnavailable before a reading."""
        ...

    @property
    def due(self) -> bool:
        """Whether it is time to `refresh`."""
        ...

    @property
    def may_have_changed(self) -> bool:
        """Whether to `refresh` for the sake of an unknown key id: not at once again."""
        ...

    def refresh(self) -> None:
        """Read the keys; blocks. StoreUnavailable says why it did not work."""
        ...


class SharedSecret:
    """One secret for HS256, whatever key id a token names."""

    def __init__(self, secret: str) -> None:
        encoded = base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
        self._key = jwt.PyJWK({"kty": "oct", "k": encoded}, "HS256")
        self.due = False
        self.may_have_changed = False

    def find(self, kid: str | None) -> jwt.PyJWK | None:
        """The secret."""
        return self._key

    def refresh(self) -> None:
        """Nothing to read."""


class PublishedKeys:
    """The public keys of an issuer by their id, read again from time to time."""

    def __init__(self, where: str, read: Callable[[], bytes], *, seconds: float) -> None:
        self._where = where
        self._read = read
        self._seconds = seconds
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")  # monotonic clock, as the next one
        self._tried_at = float("-inf")

    @property
    def due(self) -> bool:
        """Whether the keys are old, and the last attempt is not from just now."""
        return self._age > self._seconds and self.may_have_changed

    @property
    def may_have_changed(self) -> bool:
        """Whether the last attempt is not from just now."""
        return time.monotonic() - self._tried_at > min(_PAUSE_SECONDS, self._seconds)

    @property
    def _age(self) -> float:
        return time.monotonic() - self._read_at

    def find(self, kid: str | None) -> jwt.PyJWK | None:
        """The key of that id."""
        if self._age > _TRUSTED_PERIODS * self._seconds:
            raise StoreUnavailable(f"{self._where}: the issuer's keys could not be read; look at the log")
        return None if kid is None else self._keys.get(kid)

    def refresh(self) -> None:
        """Read the keys; those at hand stay when it does not work."""
        self._tried_at = time.monotonic()
        try:
            self._keys = published(self._read())
        except (OSError, HTTPException, ValueError, jwt.PyJWTError) as error:
            raise StoreUnavailable(
                f"{self._where}: no keys could be read ({type(error).__name__}: {error}); it has to give a"
                " JWKS with RSA or P-256 keys that have a kid"
            ) from error
        self._read_at = self._tried_at


def token_keys(settings: TokenSettings) -> TokenKeys:
    """The keys that the settings name; nothing is read yet."""
    if settings.shared_secret is not None:
        return SharedSecret(settings.shared_secret)
    if settings.jwks_file is not None:
        path = settings.jwks_file
        return PublishedKeys(str(path), partial(_from_file, path), seconds=settings.jwks_seconds)
    url = settings.jwks_url or ""
    trust = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    fetch = partial(_from_url, url, trust, settings.answer_seconds)
    return PublishedKeys(url, fetch, seconds=settings.jwks_seconds)


def published(document: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a JWKS (RFC 7517) that verify RS256 or ES256, by id; others are left out.

    Raises:
        ValueError: It is no JWKS, none of its keys can be used, or two share an id.
    """
    if len(document) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST:,} bytes")
    found = orjson.loads(document)
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it has no list of keys")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        algorithm = _algorithm(entry)
        if algorithm is None:
            continue
        if entry["kid"] in keys:
            raise ValueError("two keys share a kid")
        keys[entry["kid"]] = jwt.PyJWK(entry, algorithm)
    if not keys:
        raise ValueError("none of its keys can be used")
    return keys


def _algorithm(entry: Any) -> str | None:
    """The one algorithm of a published key; None for one that is not for verifying, or not of ours."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    curve = entry.get("crv") if entry.get("kty") == "EC" else None
    algorithm = _ALGORITHMS.get((str(entry.get("kty")), curve))
    wrong_use = entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm
    return None if wrong_use else algorithm


def _from_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST + 1)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keys come from where the settings say, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _from_url(url: str, trust: ssl.SSLContext, seconds: float) -> bytes:
    """The document behind `url`, within `seconds`; urllib's own time limit is for each single read."""
    opener = urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=trust))
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 -- from settings
    end = time.monotonic() + seconds
    document = b""
    with opener.open(request, timeout=seconds) as answer:
        while len(document) <= _LONGEST and (portion := answer.read1(_PORTION)):
            document += portion
            if time.monotonic() > end:
                raise TimeoutError(f"not whole within {seconds:g} s")
    return document
