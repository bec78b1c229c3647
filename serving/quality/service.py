"""The evaluation that a release carries, as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketing_platform.releases.overrides import ItemKind
from serving import responses
from serving.quality.schemas import Figures
from serving.releases import OpenRelease

_FIGURES = tuple(Figures.model_fields)


def quality(release: OpenRelease, kind: ItemKind) -> bytes:
    """How each recommender of a kind did; ApiError (`not_ready`) for a release older than evaluations."""
    found = release.report(f"{kind}_evaluation")
    lines = [{"recommender": name, **_figures(figures)} for name, figures in found["recommenders"].items()]
    return responses.to_json(
        {
            "kind": kind,
            "held_out": found["held_out"],
            "items": sorted(lines, key=lambda line: -line["ndcg"]),
            "parts": [{"part": part, **_figures(figures)} for part, figures in found["hybrid"].items()],
            "weights": found["blend"]["weights"],
        }
    )


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in _FIGURES}
