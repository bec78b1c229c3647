"""How the quality of recommenders looks in an answer; `recommenders/evaluation` says what is measured."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from marketing_platform.releases.overrides import ItemKind
from serving import responses
from serving.responses import Part

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Figures(Part):
    """Averages over users, all for the ten best items."""

    users: int = Field(description="Users with something to be found.")
    precision: Share = Field(description="Of the ten shown, those that were taken.")
    recall: Share = Field(description="Of all that were taken, those that were shown.")
    ndcg: Share = Field(description="The same with places: 1 for the best order there is.")
    hit_rate: Share = Field(description="Users who took at least one of the ten.")
    coverage: Share = Field(description="Items that anybody was shown.")


class RecommenderLine(Figures):
    """A recommender, and how it did."""

    recommender: str = Field(description="Its name; `hybrid` is what serves.", examples=["hybrid"])


class PartLine(Figures):
    """What the hybrid finds of one part of what users took."""

    part: str = Field(description="What users had taken before, or what was new to them.")


class QualityAnswer(responses.Answer):
    """How well recommenders find what users take next, measured before the release."""

    kind: ItemKind = Field(description="What is recommended.")
    held_out: str = Field(description="What was held out to judge by, or why nothing was.")
    items: tuple[RecommenderLine, ...] = Field(
        description="The recommenders, best first; none when there was nothing to judge by."
    )
    parts: tuple[PartLine, ...] = Field(description="The hybrid, apart for known and new items.")
    weights: dict[str, dict[str, float]] = Field(
        description="What the hybrid weighs, by segment of users and recommender."
    )


def example() -> dict[str, Any]:
    """The hybrid and one other."""
    figures = {
        **{"users": 310, "precision": 0.08, "recall": 0.31, "ndcg": 0.24},
        **{"hit_rate": 0.52, "coverage": 0.71},
    }
    return {
        **responses.head_example(),
        "kind": "product",
        "held_out": "the last 20 % of all purchases in time",
        "items": [{"recommender": "hybrid", **figures}, {"recommender": "popular", **figures, "ndcg": 0.11}],
        "parts": [{"part": "discovery", **figures}],
        "weights": {"regular": {"item_neighbours": 0.7, "popular": 0.3}},
    }
