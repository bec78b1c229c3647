"""How campaigns and the graph of a user look in an answer, described by the graph's model."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from functools import reduce
from operator import or_
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from marketing_platform.catalog.model import ColumnType
from marketing_platform.graph import graph_model
from marketing_platform.graph.model import Properties
from marketing_platform.graph.profile import USER, followed
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


_PYTHON: dict[ColumnType, Any] = {
    ColumnType.STRING: str,
    ColumnType.INTEGER: int,
    ColumnType.NUMBER: float,
    ColumnType.MONEY: float,  # graphs keep it for reading
    ColumnType.BOOLEAN: bool,
    ColumnType.DATE: date,
    ColumnType.TIMESTAMP: datetime,
}
_STRICT = ConfigDict(extra="forbid")
_KIND: Any = Literal  # of names that the model of the graph gives
_NODE_ID = "Unique in this graph: the kind and the key of the node."


def _carried(name: str, properties: Properties) -> Any:
    fields: dict[str, Any] = {
        key: (_PYTHON[each.type] | None, Field(description=each.description))
        for key, each in properties.items()
    }
    return create_model(name, __config__=_STRICT, **fields)


def _node_models() -> list[type[BaseModel]]:
    model = graph_model()
    kinds = dict.fromkeys([USER, *(end for each in followed(model) for end in (each.source, each.target))])
    return [
        create_model(
            f"{kind}Node",
            __config__=_STRICT,
            __doc__=model.label(kind).description,
            id=(str, Field(description=_NODE_ID)),
            kind=(_KIND[kind], Field(description="What it is.")),
            properties=(
                _carried(f"{kind}Properties", model.label(kind).properties),
                Field(description="The key first."),
            ),
        )
        for kind in kinds
    ]


def _edge_models() -> list[type[BaseModel]]:
    return [
        create_model(
            f"{relation.type}Edge",
            __config__=_STRICT,
            __doc__=relation.description,
            kind=(_KIND[relation.type], Field(description="How they are related.")),
            source=(str, Field(description=f"The id of a node, a {relation.source}.")),
            target=(str, Field(description=f"The id of a node, a {relation.target}.")),
            properties=(
                _carried(f"{relation.type}Properties", relation.properties),
                Field(description="What is known of it."),
            ),
        )
        for relation in followed(graph_model())
    ]


def _any_of(models: list[type[BaseModel]], description: str) -> Any:
    union: Any = reduce(or_, models)
    return tuple.__class_getitem__((union, ...)), Field(description=description)


def _truncated() -> Any:
    kinds = _KIND[tuple(relation.type for relation in followed(graph_model()))]
    what = "Kinds of edges of which there are more than the limit."
    return tuple.__class_getitem__((kinds, ...)), Field(description=what)


ProfileAnswer = create_model(
    "ProfileAnswer",
    __base__=responses.Answer,
    __doc__="The graph around a user, from one release.",
    user_id=_user_id,
    nodes=_any_of(_node_models(), "Each once, the user first."),
    edges=_any_of(_edge_models(), "Between these nodes; of each kind the strongest first."),
    truncated=_truncated(),
)


def profile_example() -> dict[str, Any]:
    """A user, a campaign they took part in, and what that promotes."""
    campaign = {name: _EXAMPLE[name] for name in graph_model().label("Campaign").properties}
    met = {name: _EXAMPLE[name] for name in ("events", "engagement_score", "first_at", "last_at")}
    user, met_campaign, category = "User:u-0001", "Campaign:c-07", "Category:coats"
    return {
        **responses.head_example(),
        "user_id": "u-0001",
        "nodes": [
            _node(user, user_id="u-0001", name="Ada Example", country="AT"),
            _node(met_campaign, **campaign),
            _node(category, name="coats"),
        ],
        "edges": [
            {"kind": "PARTICIPATED_IN", "source": user, "target": met_campaign, "properties": met},
            {"kind": "PROMOTES", "source": met_campaign, "target": category, "properties": {}},
        ],
        "truncated": [],
    }


def _node(node_id: str, **properties: Any) -> dict[str, Any]:
    return {"id": node_id, "kind": node_id.partition(":")[0], "properties": properties}
