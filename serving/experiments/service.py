"""The results that a release carries, as answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketing_platform.experiments.released import RESULTS
from serving import responses
from serving.errors import ApiError
from serving.releases import OpenRelease


def experiments(release: OpenRelease) -> bytes:
    """Every experiment without its path; ApiError (`not_ready`) for a release older than experiments."""
    found = release.report(RESULTS)
    items = [_without_path(one) for one in found["results"]]
    return responses.to_json({"items": items, "holdout": found["holdout"], "metrics": found["metrics"]})


def experiment(release: OpenRelease, name: str) -> bytes:
    """One of them with the path of its intervals; ApiError (`unknown_experiment`) when there is none."""
    for one in release.report(RESULTS)["results"]:
        if one["experiment"] == name:
            return responses.to_json(one)
    raise ApiError("unknown_experiment", parameter="name")


def _without_path(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "path"}
