"""How a recommendation answer looks: the one definition for pipeline, API and OpenAPI.

The pipeline stores these as ready JSON, the API returns the bytes. How items are found and ranked
belongs to `neighbours`, `campaigns` and `hybrid`; `campaign_batches` and `item_batches` write the same
JSON for all users.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

ANSWER_SCHEMA = pa.schema([("key", pa.string()), ("answer", pa.binary())])
# Decimals of every figure in an answer.
FIGURE_DIGITS = 6


def _rounded(value: float) -> float:
    return round(value, FIGURE_DIGITS)


# JSON knows neither NaN nor infinity, and digits beyond the sixth are noise of float32.
Figure = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_rounded)]

Strategy = Literal["similar_users", "similar_messages", "popular"]
ItemStrategy = Literal["hybrid", "trending", "popular", "catalogue", "holdout", "cross_category", "content"]
CauseOf = Literal["product", "user", "interest", "campaign", "messages", "everyone"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SimilarUser(_Answer):
    """A user whose messages mean much the same."""

    user_id: str = Field(description="The similar user.", examples=["u-0042"])
    score: Figure = Field(
        description="Cosine between the mean message vectors, -1 to 1.", examples=[0.912345]
    )
    common_campaigns: tuple[str, ...] = Field(
        description="Up to 5 campaigns that both took part in.", examples=[["c-07"]]
    )


class SimilarUsersAnswer(_Answer):
    """Users similar to one user, best first."""

    user_id: str = Field(description="The user asked about.", examples=["u-0001"])
    model: str = Field(description="The encoder behind the scores.", examples=["all-MiniLM-L6-v2"])
    items: tuple[SimilarUser, ...] = Field(description="Empty when the user never wrote a message.")


class Contribution(_Answer):
    """What one similar user (or all others together) adds to the score of a campaign."""

    user_id: str | None = Field(
        description="Who; null for the entry that sums up all others.", examples=["u-0042"]
    )
    users: int = Field(description="How many users the entry stands for.", examples=[1])
    similarity: Figure | None = Field(
        description="Similarity to the user asked about; null for others.",
        examples=[0.912345],
    )
    engagement: Figure = Field(
        description="Engagement with the campaign; the sum of it for others.", examples=[4.0]
    )
    share: Figure = Field(description="Part of the score, 0 to 1; all entries add up to 1.", examples=[0.6])


class PathStep(_Answer):
    """One step of the path that explains an item: a node of the knowledge graph or a relation."""

    kind: Literal["node", "relation"] = Field(
        description="Nodes and relations take turns.", examples=["node"]
    )
    label: str = Field(description="Label of the node or type of the relation.", examples=["User"])
    id: str | None = Field(description="Identifier of the node; null for a relation.", examples=["u-0042"])
    name: str | None = Field(
        default=None,
        description="What people call it, where the answer knows: of products and campaigns in ranked lists.",
        examples=["Tunnel Tent"],
    )


class CampaignItem(_Answer):
    """A recommended campaign and why."""

    campaign_id: str = Field(description="The campaign.", examples=["c-07"])
    score: Figure = Field(
        description="Mean engagement of the similar users, weighted by similarity; "
        "engagement of all users for the popular strategy.",
        examples=[2.5],
    )
    engagement: Figure = Field(
        description="Engagement of all users with the campaign, summed.", examples=[310.0]
    )
    already_participated: bool = Field(description="True ranks after every campaign that is new to the user.")
    reason: str = Field(
        description="One sentence for a marketer.",
        examples=["7 of 20 similar users took part; the closest, u-0042, is 91 % similar."],
    )
    contributions: tuple[Contribution, ...] = Field(
        description="The largest contributions, then all others as one; empty when not asked for."
    )
    path: tuple[PathStep, ...] = Field(
        description="From the user to the campaign, the campaign alone for the popular strategy; empty when "
        "not asked for."
    )


class CampaignRecommendationsAnswer(_Answer):
    """Campaigns recommended to one user, best first."""

    user_id: str = Field(description="The user asked about.", examples=["u-0001"])
    strategy: Strategy = Field(
        description="similar_users; similar_messages for a message typed now; "
        "popular when nothing is known about the user.",
    )
    items: tuple[CampaignItem, ...] = Field(description="Never empty while there are campaigns.")


class ItemCause(_Answer):
    """One thing behind a recommender's part: without it the score would be lower."""

    kind: CauseOf = Field(
        description="What it is; messages are the user's own, everyone is what all users did.",
        examples=["product"],
    )
    id: str | None = Field(description="Which one; null for messages and everyone.", examples=["CAM-1001"])
    name: str | None = Field(
        default=None,
        description="What people call it; null for users, messages and everyone.",
        examples=["Polaris Down Sleeping Bag"],
    )
    share: Figure = Field(description="Part of the score of the item, 0 to 1.", examples=[0.4])


class ItemContribution(_Answer):
    """What one recommender adds to the score of an item."""

    recommender: str = Field(description="Which way of recommending it is.", examples=["item_neighbours"])
    share: Figure = Field(
        description="Part of the score, 0 to 1; those of an item add up to 1.", examples=[0.6]
    )
    causes: tuple[ItemCause, ...] = Field(description="The largest causes behind this part, up to 3.")


class _RankedItem(_Answer):
    """What an item of a list says, whatever kind it is of."""

    name: str = Field(description="Its name; the identifier where it has none.", examples=["Tunnel Tent"])
    score: Figure = Field(description="Higher is better; comparable within one answer only.", examples=[3.25])
    reason: str = Field(
        description="One sentence for a marketer.",
        examples=["Goes with Polaris Down Sleeping Bag that the user bought."],
    )
    rules: tuple[str, ...] = Field(
        description="Declared rules that had a part in its being where it is.",
        examples=[["boost summer x1.2"]],
    )
    contributions: tuple[ItemContribution, ...] = Field(
        description="The recommenders behind the score, largest first; empty when not asked for."
    )
    path: tuple[PathStep, ...] = Field(
        description="From the user to the item over what contributes most, the item alone when that is "
        "the same for everybody; empty when not asked for."
    )


class ProductItem(_RankedItem):
    """A recommended product and why."""

    product_id: str = Field(description="The product.", examples=["CAM-1001"])
    already_bought: bool = Field(description="Whether the user bought it before and kept it.")


class RankedCampaign(_RankedItem):
    """A campaign that the recommenders rank and the rules allow, and why."""

    campaign_id: str = Field(description="The campaign.", examples=["c-07"])
    already_participated: bool = Field(description="Whether the user took part in it before.")


class ProductRecommendationsAnswer(_Answer):
    """Products recommended to one user, best first."""

    user_id: str = Field(description="The user asked about.", examples=["u-0001"])
    strategy: ItemStrategy = Field(
        description="hybrid when what the user did speaks for at least one of them; trending, popular or "
        "catalogue when nothing does: what all users buy lately, what they ever bought, what there is; "
        "holdout for users who get what is popular, to measure what personal lists are worth.",
    )
    items: tuple[ProductItem, ...] = Field(
        description="Never empty while there are products, unless the rules leave none."
    )


class RankedCampaignsAnswer(_Answer):
    """Campaigns for one user, ranked by the recommenders and allowed by the rules, best first."""

    user_id: str = Field(description="The user asked about.", examples=["u-0001"])
    strategy: ItemStrategy = Field(
        description="hybrid when what the user did or wrote speaks for at least one of them; trending, "
        "popular or catalogue when nothing does: what all users take part in lately, what they ever took "
        "part in, what there is; holdout for users who get what is popular, to measure what personal lists "
        "are worth.",
    )
    items: tuple[RankedCampaign, ...] = Field(
        description="Never empty while there are campaigns, unless the rules leave none."
    )


Answer = (
    SimilarUsersAnswer | CampaignRecommendationsAnswer | ProductRecommendationsAnswer | RankedCampaignsAnswer
)


def to_json(answer: BaseModel) -> bytes:
    """The bytes that are stored and served."""
    return orjson.dumps(answer, default=_fields)


def _fields(value: Any) -> Any:
    # orjson walks models through their fields: several times faster than model_dump_json here.
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(f"{type(value).__name__} is no part of an answer")
