"""How campaigns of a user look in an answer: the fields of the query, described by the graph's model."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from marketing_platform.graph import graph_model
from marketing_platform.graph.queries import UserCampaign
from serving import responses

_TARGETED = "True when the campaign reached the user by itself: an impression, a view or an open."
_EXAMPLE: dict[str, Any] = {
    "campaign_id": "c-07",
    "name": "Winter coats",
    "platform": "google_ads",
    "channel": "email",
    "category": "coats",
    "objective": "conversions",
    "events": 12,
    "engagement_score": 21.5,
    "first_at": "2026-10-02T07:15:00Z",
    "last_at": "2026-11-20T18:04:11Z",
    "targeted": True,
}


def _row_model() -> type[BaseModel]:
    model = graph_model()
    participation = next(relation for relation in model.relations if relation.type == "PARTICIPATED_IN")
    declared = {**model.label("Campaign").properties, **participation.properties}
    descriptions = {name: property.description for name, property in declared.items()}
    descriptions["targeted"] = _TARGETED
    types = get_type_hints(UserCampaign)
    columns: dict[str, Any] = {
        field.name: (
            types[field.name],
            Field(description=descriptions[field.name], examples=[_EXAMPLE[field.name]]),
        )
        for field in fields(UserCampaign)
    }
    return create_model(
        "UserCampaignRow", __config__=ConfigDict(extra="forbid"), __doc__=UserCampaign.__doc__, **columns
    )


_items: Any = (tuple.__class_getitem__((_row_model(), ...)), Field(description="Most engaged first."))
_user_id: Any = (str, Field(description="The user asked about.", examples=["u-0001"]))
UserCampaignsAnswer = create_model(
    "UserCampaignsAnswer",
    __base__=responses.Answer,
    __doc__="What a user took part in, from one release.",
    user_id=_user_id,
    items=_items,
)


def example() -> dict[str, Any]:
    """A user with one campaign."""
    return {**responses.head_example(), "user_id": "u-0001", "items": [_EXAMPLE]}
