"""What the platform sends to endpoints, for the `webhooks` of the OpenAPI document. Nothing is served here.

The payloads are those of `marketing_platform/automations/events.py`; its deliverer sends them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from marketing_platform.automations.events import EVENTS
from marketing_platform.automations.signing import ID, SIGNATURE, TIMESTAMP

_HEADERS = {
    ID: "The same for every attempt at one event: whoever has seen it has handled it.",
    TIMESTAMP: "When this attempt was signed, in seconds since 1970.",
    SIGNATURE: "`v1,` and the HMAC-SHA256 in base64; several, separated by spaces, while a secret changes.",
}
_TEXT = {"type": "string"}


def add_to(document: dict[str, Any]) -> None:
    """Describe every event, as a request that the receiver has to expect."""
    asked: list[tuple[type[BaseModel], Literal["serialization"]]] = [
        (model, "serialization") for model in EVENTS.values()
    ]
    references, schemas = models_json_schema(asked, ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= schemas["$defs"]
    document["webhooks"] = {
        kind: {"post": _described(kind, str(model.__doc__), references[model, "serialization"])}
        for kind, model in EVENTS.items()
    }


def _described(kind: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": ["hooks"],
        "summary": kind,
        "description": f"{description} Signed as Standard Webhooks has it; may come more than once.",
        "operationId": kind.replace(".", "_"),
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": said,
                "schema": {"type": "string"},
            }
            for name, said in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "It arrived. The body is not read."},
            "410": {"description": "The receiver wants no more of this event: it is not sent again."},
            "default": {"description": "It is sent again later; after the last attempt it is a dead letter."},
        },
    }
