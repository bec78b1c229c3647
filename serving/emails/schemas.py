"""What is asked for an e-mail, and how it is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.parameters import Text
from serving.responses import Answer, Part, head_example

_Short = Annotated[Text, StringConstraints(min_length=1, max_length=50)]
_Value = Annotated[Text, StringConstraints(max_length=2_000)]
_QUESTION: dict[str, Any] = {
    "template": "weekly_picks",
    "fields": {"offer_url": "https://shop.example.com/autumn"},
}


class EmailQuestion(BaseModel):
    """Which e-mail is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_QUESTION]})

    template: _Short = Field(description="A declared template.", examples=["weekly_picks"])
    locale: _Short | None = Field(
        None, description="One of the template's languages; the user's, or the nearest to it, if left out."
    )
    variant: _Short | None = Field(
        None, description="One of the template's; the one that the user would be sent if left out."
    )
    fields: Annotated[dict[_Short, _Value], Field(max_length=50)] = Field(
        default_factory=dict[str, str], description="Values of declared fields, instead of what is known."
    )


class ProductUsed(Part):
    """A product in the e-mail."""

    product_id: str = Field(description="The product.")
    name: str = Field(description="As the e-mail names it.")


class FieldUsed(Part):
    """What stands in the place of a field."""

    value: str | tuple[ProductUsed, ...] = Field(description="The text, address or products.")
    source: Literal["given", "profile", "purchases", "interests", "recommendations", "fallback"] = Field(
        description="Where it is from; fallback: nothing was known that could be used."
    )


class Email(Answer):
    """One e-mail, ready to be sent."""

    user_id: str = Field(description="Whom it is for.")
    template: str = Field(description="The template.")
    locale: str = Field(description="Its language.")
    variant: str = Field(description="Which wording; control is the one that every template has.")
    subject: str = Field(description="One line.")
    preview_text: str = Field(description="What mail programs show beside the subject.")
    html_content: str = Field(description="The page, with its styles in the elements; below 102 kB.")
    text_content: str = Field(description="The same as text.")
    personalization_data: dict[str, FieldUsed] = Field(description="What was used for each field.")
    to: str | None = Field(description="The user's address; null without one that can be used.")
    headers: dict[str, str] = Field(description="To be sent with it, so that one click unsubscribes.")
    not_sent_because: Literal["no_consent", "no_address"] | None = Field(
        description="Why the platform itself would not send it; looking at it is always allowed."
    )


def example() -> dict[str, Any]:
    """An e-mail, shortened."""
    link = "https://api.example.com/api/v1/unsubscribe/dS0wMDAx.Zm9v"
    return {
        **head_example(),
        "user_id": "u-0001",
        "template": "weekly_picks",
        "locale": "en",
        "variant": "control",
        "subject": "Ada, picked for your next days outside",
        "preview_text": "Polaris Down Sleeping Bag, Drift Inflatable Sleeping Mat and more.",
        "html_content": '<!doctype html><html lang="en">…</html>',
        "text_content": "Ada, a few things for you\n…",
        "personalization_data": {
            "first_name": {"value": "Ada", "source": "profile"},
            "picks": {
                "value": [{"product_id": "CAM-1003", "name": "Polaris Down Sleeping Bag"}],
                "source": "recommendations",
            },
        },
        "to": "ada@example.com",
        "headers": {
            "List-Unsubscribe": f"<{link}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        "not_sent_because": None,
    }
