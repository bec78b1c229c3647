"""Looks the features of a user up."""

from __future__ import annotations

from serving.errors import ApiError
from serving.releases import FEATURES, OpenRelease


def of_user(release: OpenRelease, user_id: str) -> bytes:
    """The prepared features.

    `unknown_user` (404) when the release has no such user, `not_ready` (503) when it is older than features.
    """
    found = release.answer(FEATURES, user_id)
    if found is None:
        raise ApiError("unknown_user", parameter="user_id")
    return found
