"""An issuer of tokens, as an identity provider is one: RSA and P-256 keys, a JWKS, and whatever claims."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://login.example"
AUDIENCE = "marketing"
SHARED = "shared between the issuer and this platform"


def rsa_key(name: str = "one") -> rsa.RSAPrivateKey:
    """A private key, the same for the same name."""
    return _rsa_keys(name)


@cache
def _rsa_keys(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_entry(kid: str, key: rsa.RSAPrivateKey | None = None, **more: Any) -> dict[str, Any]:
    """A public key as a JWKS holds it."""
    return {**RSAAlgorithm.to_jwk((key or rsa_key()).public_key(), as_dict=True), "kid": kid, **more}


def ec_entry(kid: str, **more: Any) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(ec_key().public_key(), as_dict=True), "kid": kid, **more}


def jwks(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


def claims(**changed: Any) -> dict[str, Any]:
    """Those of a good token; a claim set to None is left out."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "u-1",
        "iat": now,
        "exp": now + 300,
        "scope": "read:recommendations",
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def token(key: Any = None, algorithm: str = "RS256", kid: str | None = "one", **changed: Any) -> str:
    """A signed token."""
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**changed), key or rsa_key(), algorithm, headers)


def by_hand(header: dict[str, Any], body: Any, secret: bytes | None = None) -> str:
    """A token that no library makes: any header, any claims, signed with HMAC-SHA256 or not at all."""
    signed = f"{_part(header)}.{_part(body)}"
    signature = b"" if secret is None else hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{_encoded(signature)}"


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """The public key as everybody may have it."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _part(document: Any) -> str:
    return _encoded(document if isinstance(document, bytes) else json.dumps(document).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
