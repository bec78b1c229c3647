"""Which documents `enriched_events` consists of: one set per stored part of events.

A set is named after its part and what else it is made of, so that a release takes the sets that an
earlier one wrote, and only new parts cost anything. Of campaigns the documents repeat what sources
say about them, which seldom changes and then renames every set. Nothing of users is repeated but
their id: what is known of a user changes with nearly every batch, and would rewrite all documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from marketing_platform.analytics.aggregates import Aggregate

ENRICHED_EVENTS = "enriched_events"
# What the documents repeat of campaigns.
CAMPAIGNS = "SELECT campaign_id, name, platform, channel, category, objective FROM campaigns"
_DECLARED = Path(__file__).with_name(f"{ENRICHED_EVENTS}.yaml")


@cache
def enrichment() -> Aggregate:
    """The documents' columns and their SQL, in which `{record_id}` names a landed row."""
    return Aggregate.model_validate(yaml.safe_load(_DECLARED.read_text(encoding="utf-8")))


def made_with(query: str, campaigns: Iterable[Mapping[str, Any]]) -> str:
    """Stands for the query and the rows of CAMPAIGNS, in any order: 8 hex digits.

    A campaign that is known only from its events adds nothing to a document, so it counts for nothing.
    """
    known = sorted(
        orjson.dumps(dict(row), option=orjson.OPT_SORT_KEYS)
        for row in campaigns
        if any(value is not None for column, value in row.items() if column != "campaign_id")
    )
    return hashlib.sha256(b"\n".join([query.encode(), *known])).hexdigest()[:8]


def set_name(part: str, version: str) -> str:
    """The set with the documents of one part of events (`events__3f9ac21b0d11_1c2d`), as `made_with` says."""
    return f"{ENRICHED_EVENTS}__{part.partition('__')[2]}_{version}"
