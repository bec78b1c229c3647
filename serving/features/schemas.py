"""The answer of the pipeline with the head of the API, and an example."""

from __future__ import annotations

from typing import Any

from marketing_platform.features.answers import FeaturesAnswer
from serving import responses


class UserFeatures(FeaturesAnswer, responses.Answer):
    """The features of one user, from one release."""


def example() -> dict[str, Any]:
    """Some of the features."""
    features = {
        "orders": 3,
        "spend": 129.5,
        "days_since_purchase": 12.25,
        "preferred_category": "Camping",
        "mean_satisfaction": None,
        "message_centroid": [0.6, -0.8],
    }
    answer = {"user_id": "u-0001", "as_of": "2026-11-20T18:04:12Z", "features": features}
    return {**responses.head_example(), **answer}
