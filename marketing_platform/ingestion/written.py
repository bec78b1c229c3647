"""What applications may write through the API: documents of rows, and the lines they land as.

The models let through only what the gates accept, so that a mistake is told to whoever made it and holds
no batch back; a property test keeps both definitions together. How lines become durable is in `journal.py`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)
from pydantic.config import JsonDict

from marketing_platform.catalog.currencies import CURRENCIES

Kind = Literal["user-data", "feedback", "exposures", "bulk"]  # also the folder of the landing zone

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_EVENT_TYPES = {"impression": "impression", "click": "click", "conversion": "convert"}
# Stores written in C end a string at NUL, and a lone surrogate cannot be written as UTF-8.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_LANGUAGE = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def text_problem(value: str) -> str | None:
    """Why no store could keep the text, or None."""
    if _NO_TEXT.search(value):
        return "must be text without NUL and lone surrogates"
    return None


def _text(value: str) -> str:
    if problem := text_problem(value):
        raise ValueError(problem)
    if not value.strip():
        raise ValueError("must contain more than white space")
    return value


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value.strip()):
        raise ValueError("must look like name@example.com")
    return value


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("must be an active code of ISO 4217 such as EUR")
    return value


def _moment(value: datetime) -> datetime:
    moment = value.astimezone(UTC)
    if not _FIRST <= moment <= datetime.now(UTC) + timedelta(hours=12):
        raise ValueError("must lie between the year 2000 and now")
    return moment


def _day(value: date) -> date:
    if not _FIRST.date() <= value <= datetime.now(UTC).date():
        raise ValueError("must lie between the year 2000 and today")
    return value


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be 0; a return has a negative quantity")
    return value


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_text)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_text)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_text)]
Email = Annotated[
    str, StringConstraints(min_length=3, max_length=254), AfterValidator(_text), AfterValidator(_email)
]
Language = Annotated[str, StringConstraints(max_length=35, pattern=_LANGUAGE)]
Currency = Annotated[str, StringConstraints(min_length=3, max_length=3), AfterValidator(_currency)]
Moment = Annotated[AwareDatetime, AfterValidator(_moment)]
Day = Annotated[date, AfterValidator(_day)]
Money = Annotated[Decimal, Field(ge=0, lt=Decimal(10) ** 12, decimal_places=6, allow_inf_nan=False)]
Quantity = Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000), AfterValidator(_not_zero)]
Strength = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
Channel = Literal["email", "app", "web", "sms", "ad"]

_USER_DATA: JsonDict = {
    "profile": {"name": "Ada Example", "language": "de-DE", "marketing_consent": True},
    "purchases": [
        {
            "product_id": "p-0017",
            "timestamp": "2026-11-20T09:30:00Z",
            "quantity": 1,
            "unit_price": "189.00",
            "currency": "EUR",
        }
    ],
    "interests": [{"interest": "Camping", "strength": 0.8}],
}
_FEEDBACK: JsonDict = {
    "events": [
        {"action": "impression", "item_kind": "product", "item_id": "p-0017", "position": 1},
        {"action": "click", "item_kind": "product", "item_id": "p-0017", "position": 1},
    ]
}


class Written(BaseModel):
    """Base of what may be written: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(Written):
    """Who the user is. Only what is given changes; a field can be replaced, not emptied."""

    name: Label | None = Field(None, description="Full name.", examples=["Ada Example"])
    email: Email | None = Field(None, description="E-mail address.", examples=["ada@example.com"])
    country: Label | None = Field(None, description="Country.", examples=["DE"])
    language: Language | None = Field(None, description="BCP 47 language tag.", examples=["de-DE"])
    signed_up_on: Day | None = Field(None, description="Day of sign-up.", examples=["2025-06-30"])
    marketing_consent: StrictBool | None = Field(
        None, description="Whether the user agreed to marketing messages.", examples=[True]
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("at least one field")
        return self


class Purchase(Written):
    """One order line; a product that nobody described is known by its id from then on."""

    product_id: Identifier = Field(description="What was bought.", examples=["p-0017"])
    timestamp: Moment = Field(
        description="When, with its offset; not in the future.", examples=["2026-11-20T09:30:00Z"]
    )
    quantity: Quantity = Field(description="Units; negative for a return.", examples=[2])
    unit_price: Money = Field(
        description="Price of one unit in `currency`; as text to be exact.", examples=["24.90"]
    )
    currency: Currency = Field(description="Code of ISO 4217.", examples=["EUR"])
    purchase_id: Identifier | None = Field(
        None, description="Identifier of the line; made if left out. Never twice in one document."
    )
    order_id: Identifier | None = Field(None, description="The order the line belongs to.")
    country: Label | None = Field(None, description="Country of the sale.", examples=["DE"])
    satisfaction: Annotated[StrictInt, Field(ge=1, le=5)] | None = Field(None, description="Rating.")


class Interest(Written):
    """Something the user cares about; a later statement about the same interest counts."""

    interest: Identifier = Field(description="A category or topic.", examples=["Camping"])
    strength: Strength = Field(description="From 0 (none) to 1 (strong).", examples=[0.8])
    source: Literal["profile", "survey", "purchase", "message"] = Field(
        "profile", description="How it is known."
    )
    timestamp: Moment | None = Field(
        None, description="When it was stated; when it was received if left out."
    )


class Product(Written):
    """What can be bought; later values win."""

    product_id: Identifier = Field(description="Identifier of the product.", examples=["p-0017"])
    name: Label | None = Field(None, description="Name shown to customers.", examples=["Trail tent"])
    category: Label | None = Field(None, description="Category in the shop.", examples=["Camping"])
    description: LongText | None = Field(None, description="Text shown to customers.")
    price: Money | None = Field(None, description="List price in `currency`.", examples=["189.00"])
    currency: Currency | None = Field(None, description="Code of ISO 4217.", examples=["EUR"])
    in_stock: StrictBool | None = Field(None, description="Whether it can be ordered now.")

    @model_validator(mode="after")
    def _price_has_currency(self) -> Self:
        if (self.price is None) != (self.currency is None):
            raise ValueError("price and currency only together")
        return self


class UserData(Written):
    """A user's data: any part of it, at least one."""

    model_config = ConfigDict(json_schema_extra={"examples": [_USER_DATA]})

    profile: Profile | None = Field(None, description="Who the user is.")
    purchases: Annotated[tuple[Purchase, ...], Field(max_length=1_000)] = Field(
        (), description="Order lines of the user."
    )
    interests: Annotated[tuple[Interest, ...], Field(max_length=500)] = Field(
        (), description="What the user cares about."
    )
    products: Annotated[tuple[Product, ...], Field(max_length=500)] = Field(
        (), description="Descriptions of products, of these purchases or any others."
    )

    @model_validator(mode="after")
    def _some_and_each_once(self) -> Self:
        if self.profile is None and not (self.purchases or self.interests or self.products):
            raise ValueError("at least one of profile, purchases, interests, products")
        _each_once("purchase_id", [line.purchase_id for line in self.purchases])
        _each_once("interest", [stated.interest for stated in self.interests])
        _each_once("product_id of products", [product.product_id for product in self.products])
        return self


class BulkDocument(UserData):
    """A line of a bulk upload: whose data it is, and the data."""

    user_id: Identifier | None = Field(None, description="Whose; may be left out where only products are.")

    @model_validator(mode="after")
    def _somebodys(self) -> Self:
        if self.user_id is None and (self.profile is not None or self.purchases or self.interests):
            raise ValueError("user_id is needed for profile, purchases and interests")
        return self


class FeedbackEvent(Written):
    """What a user did with one item that was shown."""

    action: Literal["impression", "click", "conversion", "dismissal"] = Field(
        description="dismissal: the user does not want to see it again.", examples=["click"]
    )
    item_kind: Literal["product", "campaign", "content"] = Field(
        description="What was shown.", examples=["product"]
    )
    item_id: Identifier = Field(description="Which one.", examples=["p-0017"])
    timestamp: Moment | None = Field(None, description="When; when it was received if left out.")
    release_id: Label | None = Field(
        None, description="`release_id` of the answer that showed it.", examples=["r-20261121-063012-4f2a"]
    )
    variant: Label | None = Field(None, description="The user's arm of an experiment.")
    position: Annotated[StrictInt, Field(ge=1, le=100_000)] | None = Field(
        None, description="Place in the list that was shown, from 1.", examples=[1]
    )
    channel: Channel | None = Field(None, description="Where it was shown.", examples=["web"])


class Feedback(Written):
    """What a user did with what was shown."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FEEDBACK]})

    events: Annotated[tuple[FeedbackEvent, ...], Field(min_length=1, max_length=500)] = Field(
        description="One entry per item and action."
    )


@dataclass(frozen=True)
class Envelope:
    """What every line of one write carries besides its row."""

    number: str  # of the receipt, unique
    kind: Kind
    received_at: datetime
    by: str  # id of the principal who wrote it
    idempotency: str | None = None  # name of the record that is to be completed if we die

    def lines(self, records: Sequence[Record]) -> list[bytes]:
        """The lines of a whole write; each knows its place, so that a part of them can be told from all."""
        count = len(records)
        return [
            _line(self._head(at) | {"line": number, "lines": count}, rows)
            for number, (at, rows) in enumerate(records)
        ]

    def line(self, record: Record) -> bytes:
        """A line of a write that lands as one object anyway."""
        at, rows = record
        return _line(self._head(at), rows)

    def defective(self, at: str, defect: str, content: bytes) -> bytes:
        """The line of a record that could not be read; it says why, and holds what came."""
        try:
            raw = {"_raw": content.decode()}
        except UnicodeDecodeError:
            raw = {"_raw_base64": base64.b64encode(content).decode()}
        told = {"_defect": defect, **raw, "value": {"write": self._head(at)}}
        return orjson.dumps(told, option=_OPTIONS)

    @classmethod
    def of_head(cls, head: Mapping[str, Any]) -> Envelope:
        """What a landed line says of its write."""
        received_at = datetime.fromisoformat(head["received_at"])
        return cls(head["receipt"], head["kind"], received_at, head["by"], head.get("idempotency"))

    def _head(self, at: str) -> dict[str, Any]:
        """What stands in front of a row; `at` is where it was in the request."""
        head = {
            "receipt": self.number,
            "kind": self.kind,
            "received_at": self.received_at,
            "by": self.by,
            "at": at,
        }
        return {**head, "idempotency": self.idempotency} if self.idempotency else head


def message_of(line: bytes) -> bytes:
    """A line as the message that its stream lands as that line: what stands under `value`."""
    return line.removeprefix(b'{"value":').removesuffix(b"}\n")


Record = tuple[str, Mapping[str, Mapping[str, Any]]]  # where in the request, rows by table


def user_data_records(user_id: str | None, data: UserData, received_at: datetime) -> list[Record]:
    """The rows of a user's document."""
    return list(_user_data(user_id, data, received_at))


def feedback_records(user_id: str, feedback: Feedback, received_at: datetime) -> list[Record]:
    """The rows of feedback; what concerns a campaign is an event of it too."""
    records: list[Record] = []
    for place, event in enumerate(feedback.events):
        row = {**_given(event), "user_id": user_id}
        row.setdefault("timestamp", _iso(received_at))
        rows: dict[str, dict[str, Any]] = {"feedback": row}
        if event.item_kind == "campaign" and event.action in _EVENT_TYPES:
            rows["events"] = {
                "user_id": user_id,
                "timestamp": row["timestamp"],
                "event_type": _EVENT_TYPES[event.action],
                "campaign_id": event.item_id,
                "channel": event.channel,
            }
        records.append((f"events.{place}", rows))
    return records


def _user_data(user_id: str | None, data: UserData, received_at: datetime) -> Iterator[Record]:
    if data.profile is not None:
        yield "profile", {"users": {"user_id": user_id, **_given(data.profile)}}
    for place, purchase in enumerate(data.purchases):
        yield f"purchases.{place}", {"purchases": {"user_id": user_id, **_given(purchase)}}
    for place, interest in enumerate(data.interests):
        stated = {"user_id": user_id, "timestamp": _iso(received_at), **_given(interest)}
        yield f"interests.{place}", {"interests": stated}
    for place, product in enumerate(data.products):
        yield f"products.{place}", {"products": _given(product)}


def _line(head: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    return orjson.dumps({"value": {"write": head, **rows}}, option=_OPTIONS)


def _given(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _each_once(what: str, values: Sequence[str | None]) -> None:
    given = [value for value in values if value is not None]
    if len(set(given)) < len(given):
        raise ValueError(f"each {what} only once")
