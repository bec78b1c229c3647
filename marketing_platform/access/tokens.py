"""Verifies JSON Web Tokens (RFC 7519) of the one issuer that the settings name, as RFC 8725 advises.

A token is a **user's** unless it says `"principal": "service"`: a user's reads what is about its `sub`
alone, and nothing else, whatever scopes it names. A service's has the scopes that it names.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

import jwt
from jwt.exceptions import InvalidSubjectError

from marketing_platform.access.principals import Principal, Refusal, Refused, Scope
from marketing_platform.access.token_keys import TokenKeys
from marketing_platform.access.token_settings import TokenSettings
from marketing_platform.errors import StoreUnavailable

_LONGEST = 8 * 1024  # characters of a token
_LONGEST_SUBJECT = 256  # characters, as ids of users have
_REMEMBERED = 4096  # tokens that were verified and have not expired
_REMEMBERED_SECONDS = 60.0
_OF_USERS = frozenset({Scope.READ_RECOMMENDATIONS})
_REASONS: tuple[tuple[type[jwt.InvalidTokenError], Refusal], ...] = (
    (jwt.ExpiredSignatureError, Refusal.EXPIRED),
    (jwt.ImmatureSignatureError, Refusal.NOT_YET_VALID),
    (jwt.InvalidIssuerError, Refusal.WRONG_ISSUER),
    (jwt.InvalidAudienceError, Refusal.WRONG_AUDIENCE),
    (jwt.InvalidAlgorithmError, Refusal.WRONG_ALGORITHM),
    (jwt.MissingRequiredClaimError, Refusal.WRONG_CLAIMS),
    (InvalidSubjectError, Refusal.WRONG_CLAIMS),
    (jwt.InvalidIssuedAtError, Refusal.WRONG_CLAIMS),
    (jwt.InvalidSignatureError, Refusal.WRONG_SIGNATURE),
)


class TokenVerifier:
    """Says whose a token is; `find` is for the event loop, refreshing `keys` blocks."""

    def __init__(self, settings: TokenSettings, keys: TokenKeys, pseudonym_secret: bytes) -> None:
        """`pseudonym_secret` makes ids of users that logs may hold."""
        self.keys = keys
        self._settings = settings
        self._secret = pseudonym_secret
        self._jwt = jwt.PyJWT({"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True})
        self._verified: dict[bytes, tuple[float, jwt.PyJWK, str | None, Principal]] = {}

    def find(self, token: str) -> Principal | Refused:
        """Whose the token is, or why it is refused; `UNKNOWN` may be a key that was published since."""
        if len(token) > _LONGEST:
            return Refused(Refusal.TOO_LONG)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        try:
            return self._remembered(digest) or self._verify(token, digest)
        except StoreUnavailable:
            return Refused(Refusal.UNAVAILABLE)
        except jwt.InvalidTokenError as error:
            return Refused(
                next((why for kind, why in _REASONS if isinstance(error, kind)), Refusal.MALFORMED)
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            return Refused(Refusal.MALFORMED)

    def _remembered(self, digest: bytes) -> Principal | None:
        """Whom it was verified for a moment ago, if its key is still the issuer's."""
        until, key, kid, principal = self._verified.get(digest, (0.0, None, None, None))
        if principal is None:
            return None
        if until > time.time() and self.keys.find(kid) is key:
            return principal
        del self._verified[digest]
        return None

    def _verify(self, token: str, digest: bytes) -> Principal | Refused:
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if "crit" in header:  # extensions that must be understood: there are none here (RFC 7515, 4.1.11)
            return Refused(Refusal.MALFORMED)
        key = self.keys.find(kid)
        if key is None:
            return Refused(Refusal.UNKNOWN)
        claims = self._jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=self._settings.issuer,
            audience=self._settings.audience,
            leeway=self._settings.leeway_seconds,
        )
        principal = self._principal(claims)
        if isinstance(principal, Principal):
            if len(self._verified) >= _REMEMBERED:
                del self._verified[next(iter(self._verified))]  # the oldest
            # Without the leeway: what is within it is verified anew.
            until = min(float(claims["exp"]), time.time() + _REMEMBERED_SECONDS)
            self._verified[digest] = (until, key, kid, principal)
        return principal

    def _principal(self, claims: dict[str, Any]) -> Principal | Refused:
        subject, named = claims["sub"], claims.get("scope", "")
        if not 0 < len(subject) <= _LONGEST_SUBJECT or not isinstance(named, str):
            return Refused(Refusal.WRONG_CLAIMS)
        scopes = frozenset(scope for scope in Scope if scope in named.split())
        match claims.get("principal", "user"):
            case "service":
                return Principal(f"service:{subject}", "service", scopes)
            case "user":
                return Principal(f"user:{self._pseudonym(subject)}", "user", scopes & _OF_USERS, subject)
            case _:
                return Refused(Refusal.WRONG_CLAIMS)

    def _pseudonym(self, subject: str) -> str:
        signed = hmac.digest(self._secret, b"marketing-platform user\0" + subject.encode(), "sha256")
        return signed.hex()[:16]
