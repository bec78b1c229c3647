"""The fields of the customer, shop, event and chat files, and what stands in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from marketing_platform.sample import flaws, texts
from marketing_platform.sample.activity import CHANNELS, KINDS, DayOfEvents
from marketing_platform.sample.chance import Stream, stream
from marketing_platform.sample.exports import (
    FileSummary,
    JsonLines,
    Separated,
    write_json_array,
    write_text,
)
from marketing_platform.sample.flaws import Columns
from marketing_platform.sample.messages import MessageTexts
from marketing_platform.sample.people import NO_CATEGORY, People, emails, names
from marketing_platform.sample.shop import OrderLines
from marketing_platform.sample.world import DAYS, FIRST_DAY, World

_INTEREST_SOURCES = ("profile", "survey", "purchase", "message")
_STATES_INTERESTS, _STATES_ANOTHER = 0.8, 0.35
_SOLD_OUT = range(17, 1000, 23)  # places in the catalogue
# How the chat tool calls the channels.
_CHAT_CHANNELS = {"app": "mobile_app", "web": "web_widget"}

EVENT_FILE = Separated(
    [
        ("event_id", "number"),
        ("user_id", "user"),
        ("occurred_at", "occurred_at"),
        ("event_type", "type"),
        ("campaign_id", "campaign"),
        ("channel", "channel"),
        ("message", "text"),
    ]
)
CHAT_FILE = JsonLines(
    '{"id":"<number>","user":{"id":<user>},"text":<text>,"sent_at":<sent_at>,'
    '"campaign":{"id":<campaign>},"channel":"<channel>"}'
)
PURCHASE_FILE = Separated(
    [
        ("line_id", "line"),
        ("order_no", "order"),
        ("customer", "user"),
        ("sku", "product"),
        ("sold_at", "sold_at"),
        ("qty", "quantity"),
        ("unit_price", "price"),
        ("country", "country"),
        ("rating", "rating"),
    ]
)


def write_users(root: Path, world: World, people: People) -> FileSummary:
    """The customer file, as a spreadsheet in Central Europe saves it."""
    full_names = names(world, people)
    first = texts.second_of(FIRST_DAY)
    columns = {
        "user": pa.array(people.ids),
        "name": pa.array(full_names),
        "email": pa.array(emails(full_names)),
        "country": texts.chosen([country.code for country in world.countries], people.country),
        "language": texts.chosen([country.language for country in world.countries], people.country),
        "signed_up": texts.moments(first + people.signed_up * 86_400, "%d.%m.%Y"),
        "consent": texts.chosen(["no", "yes"], people.consent.astype(np.int64)),
    }
    layout = Separated(
        [
            ("Customer ID", "user"),
            ("Name", "name"),
            ("E-mail", "email"),
            ("Country", "country"),
            ("Language", "language"),
            ("Customer since", "signed_up"),
            ("Newsletter", "consent"),
        ],
        delimiter=";",
        byte_order_mark=True,
    )
    return write_text(root, "crm/users.csv", layout, columns, flaws.USERS)


def write_campaigns(root: Path, world: World) -> FileSummary:
    """The campaign plan, one JSON array."""
    campaigns = world.campaigns

    def column(values: list[str]) -> texts.Texts:
        return texts.json(pa.array(values))

    columns = {
        "id": column([one.campaign_id for one in campaigns]),
        "name": column([one.name for one in campaigns]),
        "platform": column([one.platform for one in campaigns]),
        "channel": column([one.channel for one in campaigns]),
        "category": column([one.category for one in campaigns]),
        "objective": column([one.objective for one in campaigns]),
        "starts_on": column([one.starts_on.isoformat() for one in campaigns]),
        "ends_on": column([one.ends_on.isoformat() if one.ends_on else "" for one in campaigns]),
        "budget": texts.numbers(np.array([one.budget for one in campaigns])),
    }
    template = (
        '{"id":<id>,"name":<name>,"platform":<platform>,"channel":<channel>,"category":<category>,'
        '"objective":<objective>,"flight":{"starts_on":<starts_on>,"ends_on":<ends_on>},'
        '"budget":{"amount":<budget>,"currency":"EUR"}}'
    )
    return write_json_array(root, "crm/campaigns.json", JsonLines(template), columns)


def write_interests(root: Path, world: World, people: People, seed: int) -> FileSummary:
    """What people said they like: their interests, and now and then something else."""
    rng = stream(seed, Stream.INTERESTS)
    count = len(people)
    everybody = np.arange(count)
    other = (rng.random(count) * len(world.categories)).astype(np.int64)
    asked = rng.random(count) < _STATES_INTERESTS
    new = (other != people.main) & (other != people.second)
    says_other = asked & new & (rng.random(count) < _STATES_ANOTHER)
    says_second = asked & (people.second != NO_CATEGORY)
    parts = [
        (everybody[asked], people.main[asked], 0.7, 1.0),
        (everybody[says_second], people.second[says_second], 0.4, 0.75),
        (everybody[says_other], other[says_other], 0.1, 0.4),
    ]
    user = np.concatenate([users for users, *_ in parts])
    category = np.concatenate([interest for _, interest, *_ in parts])
    low = np.concatenate([np.full(len(users), least) for users, _, least, _ in parts])
    high = np.concatenate([np.full(len(users), most) for users, _, _, most in parts])
    strength = np.round((low + rng.random(len(user)) * (high - low)) * 100).astype(np.int64)
    since = np.maximum(people.signed_up[user], -400) * 86_400
    stated = since + (rng.random(len(user)) * ((DAYS - 1) * 86_400 - since)).astype(np.int64)
    order = np.lexsort((category, user))
    columns = {
        "user": texts.chosen(people.ids, user[order]),
        "interest": texts.chosen([one.name for one in world.categories], category[order]),
        "strength": texts.decimals(strength[order]),
        "source": texts.chosen(_INTEREST_SOURCES, (rng.random(len(user)) ** 1.6 * 4).astype(np.int64)),
        "stated_at": texts.moments(texts.second_of(FIRST_DAY) + stated[order]),
    }
    layout = Separated([(name, name) for name in columns])
    return write_text(root, "crm/interests.csv", layout, columns, flaws.INTERESTS)


def product_ids(world: World) -> list[str]:
    """Article numbers: three letters of the category and a running number."""
    return [
        f"{world.categories[category].name[:3].upper()}-{1001 + place}"
        for place, (_, category) in enumerate(world.products)
    ]


def write_products(root: Path, world: World) -> FileSummary:
    """The catalogue as the shop's search index exports it."""
    products = world.products
    columns = {
        "id": texts.json(pa.array(product_ids(world))),
        "title": texts.json(pa.array([product.name for product, _ in products])),
        "category": texts.json(pa.array([world.categories[category].name for _, category in products])),
        "description": texts.json(pa.array([product.description for product, _ in products])),
        "price": texts.decimals(np.array([round(product.price * 100) for product, _ in products])),
        "available": pa.array(["false" if place in _SOLD_OUT else "true" for place in range(len(products))]),
    }
    template = (
        '{"sku":<id>,"title":<title>,"category":<category>,"description":<description>,'
        '"price":{"amount":<price>,"currency":"EUR"},"available":<available>}'
    )
    return write_text(root, "shop/products.ndjson", JsonLines(template), columns, flaws.PRODUCTS)


def purchase_columns(world: World, people: People, lines: OrderLines) -> Columns:
    """The fields of PURCHASE_FILE."""
    order = texts.joined("T-", texts.numbers(lines.order))
    return {
        "line": texts.joined(
            order, "-", texts.numbers(lines.line), texts.chosen(["", "-R"], (lines.quantity < 0) * 1)
        ),
        "order": order,
        "user": texts.chosen(people.ids, lines.user),
        "product": texts.chosen(product_ids(world), lines.product),
        "sold_at": texts.moments(lines.moment, "%d/%m/%Y %H:%M"),
        "quantity": texts.numbers(lines.quantity),
        "price": texts.decimals(lines.price),
        "country": texts.chosen([country.code for country in world.countries], lines.country),
        "rating": texts.chosen(["", "1", "2", "3", "4", "5"], lines.rating),
    }


class EventColumns:
    """Turns days of events into the fields of EVENT_FILE and CHAT_FILE."""

    def __init__(self, world: World, people: People, messages: MessageTexts) -> None:
        self._messages = messages
        self._users = pa.array(people.ids)
        self._campaigns = pa.array([campaign.campaign_id for campaign in world.campaigns])
        self._kinds, self._channels = pa.array(KINDS), pa.array(CHANNELS)
        self._chat_channels = pa.array([_CHAT_CHANNELS.get(channel, channel) for channel in CHANNELS])

    def events(self, day: DayOfEvents) -> Columns:
        """The fields of EVENT_FILE."""
        return {
            "number": texts.joined("e-", texts.numbers(day.number, 8)),
            "user": self._users.take(pa.array(day.user)),
            "occurred_at": texts.moments(texts.second_of(day.day) + day.second),
            "type": self._kinds.take(pa.array(day.kind)),
            "campaign": self._campaigns.take(pa.array(day.campaign)),
            "channel": self._channels.take(pa.array(day.channel)),
            "text": texts.quoted(self._messages.of(day.phrase)),
        }

    def chats(self, day: DayOfEvents) -> Columns:
        """The fields of CHAT_FILE; every event of `day` is a message."""
        return {
            "number": texts.joined("m-", texts.numbers(day.number, 8)),
            "user": texts.joined('"', self._users.take(pa.array(day.user)), '"'),
            "text": texts.json(self._messages.of(day.phrase)),
            "sent_at": texts.numbers((texts.second_of(day.day) + day.second) * 1000),
            "campaign": texts.joined('"', self._campaigns.take(pa.array(day.campaign)), '"'),
            "channel": self._chat_channels.take(pa.array(day.channel)),
        }
