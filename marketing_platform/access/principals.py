"""The types that say who calls and what they may do, or why it is not known who calls."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Scope(StrEnum):
    """What may be done; none of them includes another, so `admin` alone reads nothing."""

    READ_RECOMMENDATIONS = "read:recommendations"
    WRITE_DATA = "write:data"
    READ_ANALYTICS = "read:analytics"
    READ_AUDIT = "read:audit"
    ADMIN = "admin"

    @property
    def meaning(self) -> str:
        """What it permits, for people."""
        return _MEANINGS[self]


_MEANINGS = {
    Scope.READ_RECOMMENDATIONS: "What is prepared about single users: recommendations, similar users, graph.",
    Scope.WRITE_DATA: "Land data and feedback.",
    Scope.READ_ANALYTICS: "Figures over all users, and metrics of the API.",
    Scope.READ_AUDIT: "What landed, what was refused and why, and which releases there are.",
    Scope.ADMIN: "Releases, batches, suppressions and erasure.",
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls.

    Attributes:
        id: Stable and free of personal data: for limits and logs. A key's is its public part.
        kind: An API key, or the token of a service or of a user.
        scopes: What they may do.
        user_id: The one user they may read; None for those who may read every user.
    """

    id: str
    kind: Literal["key", "service", "user"]
    scopes: frozenset[Scope]
    user_id: str | None = None


class Refusal(StrEnum):
    """Why it is not known who calls."""

    MISSING = "missing"  # no credential was sent
    AMBIGUOUS = "ambiguous"  # more than one was
    MALFORMED = "malformed"  # neither a key nor a token, by its looks alone
    UNKNOWN = "unknown"  # no such key, or the secret part is wrong
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_CLAIMS = "wrong_claims"  # one is missing, or is not of its type
    TOO_LONG = "too_long"
    NO_TOKENS = "no_tokens"  # tokens are not set up here
    UNAVAILABLE = "unavailable"  # what verifies it does not answer; it may be good


@dataclass(frozen=True, slots=True)
class Refused:
    """A credential that was not taken, and the public part of the key if there is one."""

    why: Refusal
    key_id: str | None = None
