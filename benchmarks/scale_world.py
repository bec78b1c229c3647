"""The sample's retailer, grown to the size of a benchmark: more campaigns, more products, a heavier tail.

Names, texts, countries and prices are the sample's (`marketing_platform.sample.world`); what is drawn from
them per event is the business of `scale_events.py`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import numpy as np

from marketing_platform.sample.chance import pick
from marketing_platform.sample.people import People, make_people
from marketing_platform.sample.world import DAYS, FIRST_DAY, Campaign, Category, World, load_world

# As in real conversations: 29,422 events of 1,000 users.
EVENTS_PER_USER = 29
CAMPAIGNS = 240
_VARIANTS = [
    f"{size}, {colour}"
    for size, colour in product(
        ("small", "medium", "large", "extra large"), ("black", "moss", "slate", "sand", "rust")
    )
]
# Where campaigns run; those on the first three are sent out.
_CHANNELS = {"email": 0.4, "app": 0.2, "sms": 0.1, "web": 0.12, "ad": 0.18}
_PLATFORMS = ("Meta", "Google", "Microsoft")
_OBJECTIVES = ("retention", "awareness", "acquisition")
_LONGEST_WEEKS = 6
# Events per user follow a Pareto law; nobody does more than so many times what people do on average.
_TAIL, _MOST = 1.4, 400.0


def scale_world(seed: int) -> World:
    """`CAMPAIGNS` campaigns and twenty variants of each product of the sample."""
    world = load_world()
    categories = tuple(_with_variants(category) for category in world.categories)
    return world.model_copy(update={"categories": categories, "campaigns": _campaigns(world, seed)})


def scale_people(world: World, events: int, seed: int) -> People:
    """As many people as have `events` events; a few act all day, most do next to nothing."""
    people = make_people(world, max(10, events // EVENTS_PER_USER), seed)
    rng = np.random.default_rng([seed, len(people)])
    drawn = rng.pareto(_TAIL, len(people)) + 0.05
    return replace(people, activity=np.minimum(drawn, _MOST * drawn.mean()))


def _with_variants(category: Category) -> Category:
    # Popularity falls with the place in the catalogue: best sellers are variants of different articles.
    variants = [
        article.model_copy(update={"name": f"{article.name}, {variant}"})
        for variant in _VARIANTS
        for article in category.products
    ]
    return category.model_copy(update={"products": tuple(variants)})


def _campaigns(world: World, seed: int) -> tuple[Campaign, ...]:
    rng = np.random.default_rng([seed, CAMPAIGNS])
    more = CAMPAIGNS - len(world.campaigns)
    category = pick(rng, [one.weight for one in world.categories], more)
    channel = pick(rng, list(_CHANNELS.values()), more)
    starts = rng.integers(0, DAYS - 7, more)
    weeks = rng.integers(1, _LONGEST_WEEKS + 1, more)
    return (
        *world.campaigns,
        *(
            _campaign(
                number,
                world.categories[category[number]].name,
                list(_CHANNELS)[channel[number]],
                FIRST_DAY + timedelta(days=int(starts[number])),
                int(weeks[number]),
            )
            for number in range(more)
        ),
    )


def _campaign(number: int, name: str, channel: str, starts_on: date, weeks: int) -> Campaign:
    return Campaign(
        campaign_id=f"C-{1001 + number}",
        name=f"{name} {channel} {number + 1}",
        platform=_PLATFORMS[number % len(_PLATFORMS)] if channel == "ad" else "own",
        channel=channel,
        category=name,
        objective=_OBJECTIVES[number % len(_OBJECTIVES)],
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=7 * weeks - 1),
        budget=2_000 + 500 * (number % 40),
    )
