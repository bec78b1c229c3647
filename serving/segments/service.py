"""Segments as the release has them; criteria that are tried are asked of its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from marketing_platform.content.segments.loading import read_criteria, unfit
from marketing_platform.content.segments.previewing import preview as previewed
from marketing_platform.content.segments.queries import MEMBERS, MEMBERS_SQL
from marketing_platform.content.segments.report import SEGMENTS
from marketing_platform.content.segments.spec import OF_USER, Criteria, known_names
from marketing_platform.declarations import Key
from marketing_platform.errors import UnknownName
from marketing_platform.features.loading import load_features
from marketing_platform.features.spec import Features
from serving import responses
from serving.errors import ApiError
from serving.releases import OpenRelease

_PAGE = f"{MEMBERS_SQL} LIMIT $limit OFFSET $offset"
_SHOWN = ("segment", "description", "users", "consenting")
_NOT_READY = "a release with segments"


def segments(release: OpenRelease) -> bytes:
    """Every segment with its counts; ApiError (`not_ready`) when the release is older than segments."""
    return responses.to_json({"items": [{name: one[name] for name in _SHOWN} for one in _declared(release)]})


def members(release: OpenRelease, segment: str, limit: int, offset: int) -> bytes:
    """A page of its users; ApiError: `unknown_segment`, `not_ready`."""
    if segment not in {one["segment"] for one in _declared(release)}:
        raise ApiError("unknown_segment", parameter="segment")
    parameters = {"segment": segment, "limit": limit + 1, "offset": offset}
    rows = release.ask(_PAGE, [MEMBERS], parameters).to_pylist()
    following = offset + limit if len(rows) > limit else None
    return responses.to_json({"segment": segment, "items": rows[:limit], "next_offset": following})


def preview(release: OpenRelease, written: Mapping[str, Any], sample: int, *, features_dir: Path) -> bytes:
    """Who would belong to it; ApiError: `invalid_parameter` names what is wrong, `not_ready`."""
    features = _features_of(release, features_dir)
    who = _criteria(written, features)
    try:
        found = previewed(release.ask, who, features, most=sample)
    except UnknownName:
        raise ApiError("not_ready", part=_NOT_READY) from None
    items = [{"user_id": user_id} for user_id in found.sample]
    return responses.to_json({"users": found.users, "consenting": found.consenting, "items": items})


def _declared(release: OpenRelease) -> list[dict[str, Any]]:
    return release.report(SEGMENTS)[SEGMENTS]


def _features_of(release: OpenRelease, features_dir: Path) -> Features:
    """The features that are declared and that the release has."""
    stored = release.manifest.tables.get(OF_USER["features"])
    if stored is None:
        raise ApiError("not_ready", part=_NOT_READY)
    declared = load_features(features_dir)["user"]
    return replace(declared, declared=tuple(one for one in declared.declared if one.name in stored.columns))


def _criteria(written: Mapping[str, Any], features: Features) -> Criteria:
    known = known_names(features)
    try:
        who, plain = read_criteria(written, features)
    except ValidationError as error:
        found = [(each["loc"], each["msg"].removeprefix("Value error, ")) for each in error.errors()]
        raise _wrong(known, found) from None
    if problems := list(unfit(who, plain, features)):
        raise _wrong(known, [(each.path, f"expected {each.expected}") for each in problems])
    return who


def _wrong(known: frozenset[str], found: Iterable[tuple[tuple[Key, ...], str]]) -> ApiError:
    """Where in the body and what was expected there, without what was sent."""
    problems = [
        {
            "in": "body",
            "name": ".".join(
                ["who", *(str(part) if isinstance(part, int) or part in known else "…" for part in path)]
            ),
            "problem": problem,
        }
        for path, problem in found
    ]
    return ApiError("invalid_parameter", problems=problems)
