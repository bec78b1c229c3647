"""The answers of the pipeline with the head of the API, and an example of each."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

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
from serving.errors import ERRORS
from serving.parameters import Id
from serving.recommendations.service import Kind
from serving.responses import Part


class SimilarUsers(SimilarUsersAnswer, responses.Answer):
    """Users similar to one user, best first, from one release."""


class Dropped(Part):
    """An item that was prepared and is not shown."""

    item_id: str = Field(description="The product or campaign.", examples=["CAM-1007"])
    rule: str = Field(
        description="The rule that kept it back as the answer left.", examples=["exclude sold out"]
    )


class _Leaves(responses.Answer):
    dropped: tuple[Dropped, ...] = Field(
        description="What a rule kept back as the answer left; what stands behind moved up."
    )


class InExperiment(Part):
    """The experiment that decided which list is shown."""

    name: str = Field(description="The experiment.", examples=["product_list"])
    variant: str = Field(
        description="The user's arm; send it back as `variant` of feedback.", examples=["trending"]
    )


_EXPERIMENT = Field(description="Null for who is in no experiment about this list.")


class CampaignRecommendations(CampaignRecommendationsAnswer, _Leaves):
    """Campaigns recommended to one user, best first, from one release."""


class RankedCampaigns(RankedCampaignsAnswer, _Leaves):
    """Campaigns for one user, ranked and allowed by the rules, from one release."""


class ProductRecommendations(ProductRecommendationsAnswer, _Leaves):
    """Products recommended to one user, best first, from one release."""

    experiment: InExperiment | None = _EXPERIMENT


class BatchQuestion(BaseModel):
    """Which users, and what is asked about each of them."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"user_ids": ["u-0001", "nobody"], "kind": "product", "limit": 3}]},
    )

    user_ids: list[Id] = Field(
        description="The users, in the order of the answer.", min_length=1, max_length=100
    )
    kind: Kind = Field("product", description="What is recommended.")
    limit: int | None = Field(
        None, description="At most so many items each; all that were prepared if left out.", ge=1, le=200
    )
    category: Id | None = Field(None, description="Only items of this category, of those prepared.")
    explain: bool = Field(True, description="Whether items carry contributions and paths.")


class BatchError(Part):
    """Why there is no answer for a user."""

    error_code: str = Field(description="As in the body of an error.", examples=["unknown_user"])
    message: str = Field(description="The same for a person.")


class _OfCampaigns(RankedCampaignsAnswer):
    dropped: tuple[Dropped, ...] = Field(description="What a rule kept back as the answer left.")


class _OfProducts(ProductRecommendationsAnswer):
    experiment: InExperiment | None = _EXPERIMENT
    dropped: tuple[Dropped, ...] = Field(description="What a rule kept back as the answer left.")


class BatchEntry(Part):
    """One user of a batch."""

    user_id: str = Field(description="The user asked about.", examples=["u-0001"])
    answer: _OfProducts | _OfCampaigns | None = Field(description="Null when there is an error.")
    error: BatchError | None = Field(description="Null when there is an answer.")


class Batch(responses.Answer):
    """Answers for several users, all from one release."""

    items: tuple[BatchEntry, ...] = Field(description="One per user of the question, in its order.")


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
    return _leaving(CampaignRecommendationsAnswer(user_id="u-0001", strategy="similar_users", items=(item,)))


def products_example() -> dict[str, Any]:
    """One product and why."""
    bought = ItemCause(kind="product", id="CAM-1003", name="Polaris Down Sleeping Bag", share=0.7)
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
                causes=(ItemCause(kind="interest", id="Camping", name="Camping", share=0.3),),
            ),
        ),
        path=(
            PathStep(kind="node", label="User", id="u-0001"),
            PathStep(kind="relation", label="PURCHASED", id=None),
            PathStep(kind="node", label="Product", id="CAM-1003", name=bought.name),
            PathStep(kind="relation", label="GOES_WITH", id=None),
            PathStep(kind="node", label="Product", id="CAM-1001", name="Birkvik 2-Person Tunnel Tent"),
        ),
    )
    answer = ProductRecommendationsAnswer(user_id="u-0001", strategy="hybrid", items=(item,))
    experiment = {"name": "product_list", "variant": "personal"}
    dropped = {"item_id": "CAM-1007", "rule": "exclude sold out"}
    return {**_leaving(answer, dropped), "experiment": experiment}


def batch_example() -> dict[str, Any]:
    """A user with an answer and one without."""
    answer = {
        name: value for name, value in products_example().items() if name not in responses.Answer.model_fields
    }
    refused = {"error_code": "unknown_user", "message": ERRORS["unknown_user"].message}
    return {
        **responses.head_example(),
        "items": [
            {"user_id": "u-0001", "answer": answer, "error": None},
            {"user_id": "nobody", "answer": None, "error": refused},
        ],
    }


def _leaving(answer: Answer, *dropped: dict[str, str]) -> dict[str, Any]:
    return {**_with_head(answer), "dropped": list(dropped)}


def _with_head(answer: Answer) -> dict[str, Any]:
    return {**responses.head_example(), **orjson.loads(to_json(answer))}
