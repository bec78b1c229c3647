"""Who belongs to a holdout: the same users in every release, on every machine, whatever else changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from marketing_platform.recommenders.rules.spec import Holdout

_BYTES = 8


def held_out(rule: Holdout, users: Iterable[str]) -> np.ndarray:
    """Bool per user: their part of the circle, by a hash of salt and id, is within the share."""
    salt = hashlib.sha256(rule.salt.encode() + b"\0")
    bar = int(rule.share * (1 << 8 * _BYTES))

    def number(user: str) -> int:
        digest = salt.copy()
        digest.update(str(user).encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest()[:_BYTES], "big")

    return np.fromiter((number(user) < bar for user in users), bool)
