"""Which part of a circle a user falls on: the hash of GrowthBook's SDKs, version 2, and what they make of it.

Source: "Build Your Own SDK" of GrowthBook's documentation, whose test vectors the tests hold this against.
Other applications that bucket by the same seed with a GrowthBook SDK draw the same variant.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

Range = tuple[float, float]

_BASIS, _PRIME, _MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


def bucket(seed: str, user_id: str) -> float:
    """Where on the circle [0, 1) a user stands, in steps of 1/10,000: version 2 of the hash."""
    return _fnv1a(str(_fnv1a(user_id, _begun(seed)))) % 10_000 / 10_000


def ranges(weights: Sequence[float], coverage: float) -> tuple[Range, ...]:
    """The range of each arm: arms begin where their weights put them, and cover the share `coverage` of it.

    So a coverage that grows adds users, and moves nobody.

    Args:
        weights: Of the arms, adding up to 1.
        coverage: From 0 to 1.
    """
    found: list[Range] = []
    start = 0.0
    for weight in weights:
        found.append((start, start + coverage * weight))
        start += weight
    return tuple(found)


def chosen(at: float, among: Sequence[Range]) -> int | None:
    """The first range that holds the place `at`; None when none does."""
    return next((index for index, (start, end) in enumerate(among) if start <= at < end), None)


def in_namespace(user_id: str, namespace: str, within: Range) -> bool:
    """Whether a user's place in a namespace (version 1 of the hash, steps of 1/1,000) is within a range."""
    at = _fnv1a(f"{user_id}__{namespace}") % 1_000 / 1_000
    return within[0] <= at < within[1]


@lru_cache(maxsize=256)  # the seeds of experiments stay the same from one user to the next
def _begun(seed: str) -> int:
    return _fnv1a(seed)


def _fnv1a(text: str, state: int = _BASIS) -> int:
    """FNV-1a of 32 bits over units of UTF-16, as JavaScript counts characters; goes on from `state`."""
    if text.isascii():
        for byte in text.encode():
            state = (state ^ byte) * _PRIME & _MASK
        return state
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    for unit in units:
        state = (state ^ unit) * _PRIME & _MASK
    return state
