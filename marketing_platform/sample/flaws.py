"""The errors real exports have, planted at known rows; what they are called is what quarantine says.

Every `EVERY`-th row of a file (unless told) gets one of the flaws of its kind, in turn: about 1 %, and the
same rows however a file is cut into chunks. Which flaw comes first depends on the file's name, so that
short files do not all show the same ones.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketing_platform.sample.texts import Texts, compute

EVERY, _FIRST = 97, 41

Columns = Mapping[str, Texts]


@dataclass(frozen=True)
class Flaw:
    """One error: the text that stands in `column` instead of the right one."""

    reason: str
    column: str
    text: str


USERS = (
    Flaw("signed_up_on unreadable", "signed_up", "30.02.2025"),
    Flaw("email malformed", "email", "no e-mail given"),
    Flaw("too many columns", "name", "Gruber; Johanna"),
    Flaw("user_id missing", "user", ""),
)
INTERESTS = (
    Flaw("strength out of range", "strength", "1.4"),
    Flaw("interest missing", "interest", ""),
    Flaw("timestamp unreadable", "stated_at", "last spring"),
)
PRODUCTS = (Flaw("price unreadable", "price", '"on request"'),)
PURCHASES = (
    Flaw("unit_price negative", "price", "-1.00"),
    Flaw("timestamp unreadable", "sold_at", "31/06/2026 25:10"),
    Flaw("quantity zero", "quantity", "0"),
    Flaw("product_id missing", "product", ""),
    Flaw("too many columns", "country", "DE,Berlin"),
    Flaw("satisfaction out of range", "rating", "10"),
)
EVENTS = (
    Flaw("user_id missing", "user", ""),
    Flaw("timestamp unreadable", "occurred_at", "2026-06-31 08:15:00"),
    Flaw("event_type unknown", "type", "bounced"),
    Flaw("too many columns", "channel", "email,newsletter"),
    Flaw("campaign_id missing", "campaign", ""),
    Flaw("channel unknown", "channel", "fax"),
)
CHATS = (
    Flaw("user_id missing", "user", "null"),
    Flaw("timestamp unreadable", "sent_at", '"yesterday"'),
    Flaw("invalid JSON", "text", '"Hello, I have a question about my ord'),
    Flaw("campaign_id missing", "campaign", "null"),
)
META = (
    Flaw("spend missing", "cost", ""),
    Flaw("clicks negative", "clicks", "-4"),
    Flaw("date unreadable", "day", "2026-02-30"),
)
GOOGLE = (
    Flaw("spend negative", "cost", "-1250000"),
    Flaw("date missing", "day", ""),
)
MICROSOFT = (
    Flaw("spend unreadable", "cost", "see invoice"),
    Flaw("too many columns", "clicks", "12\t0"),
)


def plant(
    columns: Columns, flaws: Sequence[Flaw], *, file: str, first_row: int, every: int = EVERY
) -> tuple[Columns, Counter[str]]:
    """`columns` with their share of `flaws`, and how many of each; `first_row` is the first row's number."""
    if not flaws or not columns:
        return columns, Counter()
    rows = first_row + np.arange(len(next(iter(columns.values()))))
    hit = rows % every == _FIRST
    turn = (rows // every + zlib.crc32(file.encode())) % len(flaws)
    spoiled = dict(columns)
    planted: Counter[str] = Counter()
    for number, flaw in enumerate(flaws):
        where = hit & (turn == number)
        if where.any():
            spoiled[flaw.column] = compute.if_else(pa.array(where), flaw.text, spoiled[flaw.column])
            planted[flaw.reason] += int(where.sum())
    return spoiled, planted
