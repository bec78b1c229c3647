"""An A/B test that the shop ran in June: a personal list of products beside what sells, and who clicked.

The tool of the shop draws arms by GrowthBook's hash, as the platform does. The truth behind the file: of the
users of `personal` a quarter click, of those of `trending` half do.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from marketing_platform.experiments.bucketing import bucket, chosen, ranges
from marketing_platform.sample import texts
from marketing_platform.sample.chance import Stream, stream
from marketing_platform.sample.exports import FileSummary, Separated, write_text
from marketing_platform.sample.people import People
from marketing_platform.sample.records import product_ids
from marketing_platform.sample.world import World

FILE = "shop/list-test-2026-06.csv"
ARMS = {"personal": 0.24, "trending": 0.5}  # share of users who click

_SEED = "product_list"
_HOLDOUT = ("everything-2026", 0.05)  # who is in no test of the shop
_BEGINS, _DAYS = date(2026, 6, 1), 20
_CLICKS_WITHIN = 3 * 86_400  # seconds


def write_list_test(root: Path, world: World, people: People, seed: int) -> FileSummary:
    """Who was shown which list, and what they clicked of it; one row per user who takes part."""
    rng = stream(seed, Stream.LIST_TEST)
    circle = ranges([1 / len(ARMS)] * len(ARMS), 1.0)
    drawn = np.array([chosen(bucket(_SEED, user), circle) for user in people.ids], dtype=np.int64)
    shown = texts.second_of(_BEGINS) + (rng.random(len(people)) * _DAYS * 86_400).astype(np.int64)
    clicks = rng.random(len(people)) < np.array(list(ARMS.values()))[drawn]
    clicked = shown + 1 + (rng.random(len(people)) * _CLICKS_WITHIN).astype(np.int64)
    product = (rng.random(len(people)) * len(world.products)).astype(np.int64)
    name, share = _HOLDOUT
    place = np.flatnonzero([bucket(name, user) >= share for user in people.ids])
    place = place[np.argsort(shown[place], kind="stable")]
    columns = {
        "customer": texts.chosen(people.ids, place),
        "list": texts.chosen(list(ARMS), drawn[place]),
        "shown_at": texts.moments(shown[place]),
        "clicked": texts.chosen(product_ids(world), np.where(clicks, product, -1)[place]),
        "clicked_at": texts.compute.if_else(clicks[place], texts.moments(clicked[place]), ""),
    }
    return write_text(root, FILE, Separated([(column, column) for column in columns]), columns)
