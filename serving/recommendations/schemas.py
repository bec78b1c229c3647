"""The answers of the pipeline with the head of the API, and an example of each."""

from __future__ import annotations

from typing import Any

import orjson

from marketing_platform.recommenders.answers import (
    Answer,
    CampaignItem,
    CampaignRecommendationsAnswer,
    Contribution,
    ItemCause,
    ItemContribution,
    PathStep,
    ProductItem,
    ProductRecommendationsAnswer,
    RankedCampaignsAnswer,
    SimilarUser,
    SimilarUsersAnswer,
    to_json,
)
from serving import responses


class SimilarUsers(SimilarUsersAnswer, responses.Answer):
    """Users similar to one user, best first, from one release."""


class CampaignRecommendations(CampaignRecommendationsAnswer, responses.Answer):
    """Campaigns recommended to one user, best first, from one release."""


class RankedCampaigns(RankedCampaignsAnswer, responses.Answer):
    """Campaigns for one user, ranked and allowed by the rules, from one release."""


class ProductRecommendations(ProductRecommendationsAnswer, responses.Answer):
    """Products recommended to one user, best first, from one release."""


def similar_users_example() -> dict[str, Any]:
    """Two similar users."""
    items = (
        SimilarUser(user_id="u-0042", score=0.912345, common_campaigns=("c-07", "c-11")),
        SimilarUser(user_id="u-0107", score=0.874021, common_campaigns=()),
    )
    return _with_head(SimilarUsersAnswer(user_id="u-0001", model="all-MiniLM-L6-v2", items=items))


def recommendations_example() -> dict[str, Any]:
    """One campaign and why."""
    item = CampaignItem(
        campaign_id="c-07",
        score=2.5,
        engagement=310.0,
        already_participated=False,
        reason="7 of 20 similar users took part; the closest, u-0042, is 91 % similar.",
        contributions=(
            Contribution(user_id="u-0042", users=1, similarity=0.912345, engagement=4.0, share=0.6),
            Contribution(user_id=None, users=6, similarity=None, engagement=9.5, share=0.4),
        ),
        path=(
            PathStep(kind="node", label="User", id="u-0001"),
            PathStep(kind="relation", label="SIMILAR_TO", id=None),
            PathStep(kind="node", label="User", id="u-0042"),
            PathStep(kind="relation", label="PARTICIPATED_IN", id=None),
            PathStep(kind="node", label="Campaign", id="c-07"),
        ),
    )
    return _with_head(
        CampaignRecommendationsAnswer(user_id="u-0001", strategy="similar_users", items=(item,))
    )


def products_example() -> dict[str, Any]:
    """One product and why."""
    bought = ItemCause(kind="product", id="CAM-1003", share=0.7)
    item = ProductItem(
        product_id="CAM-1001",
        name="Birkvik 2-Person Tunnel Tent",
        score=3.25,
        already_bought=False,
        reason="Goes with Polaris Down Sleeping Bag that the user bought.",
        rules=("boost big ticket x1.1",),
        contributions=(
            ItemContribution(recommender="item_neighbours", share=0.7, causes=(bought,)),
            ItemContribution(
                recommender="paths",
                share=0.3,
                causes=(ItemCause(kind="interest", id="Camping", share=0.3),),
            ),
        ),
        path=(
            PathStep(kind="node", label="User", id="u-0001"),
            PathStep(kind="relation", label="PURCHASED", id=None),
            PathStep(kind="node", label="Product", id="CAM-1003"),
            PathStep(kind="relation", label="GOES_WITH", id=None),
            PathStep(kind="node", label="Product", id="CAM-1001"),
        ),
    )
    return _with_head(ProductRecommendationsAnswer(user_id="u-0001", strategy="hybrid", items=(item,)))


def _with_head(answer: Answer) -> dict[str, Any]:
    return {**responses.head_example(), **orjson.loads(to_json(answer))}
