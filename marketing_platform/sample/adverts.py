"""What paid campaigns cost and brought: one row per day, campaign, country and device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from marketing_platform.sample.chance import Floats, Ints, Stream, stream
from marketing_platform.sample.world import DAYS, FIRST_DAY, Campaign, World

DEVICES = ("mobile", "desktop")

_OPEN_ENDED_DAYS = 300  # what the budget of a campaign without an end is for
_MOBILE_SHARE = 0.64


@dataclass(frozen=True)
class Market:
    """How a platform behaves: price of a click in EUR, share of clicks and of conversions."""

    account: str
    countries: tuple[str, ...]
    country_share: tuple[float, ...]
    click_price: float
    click_rate: float
    conversion_rate: float


MARKETS = {
    "Meta": Market(
        "Tarn & Thistle Social", ("DE", "NL", "FR", "SE"), (0.45, 0.2, 0.2, 0.15), 0.41, 0.012, 0.016
    ),
    "Google": Market("TT Search EU", ("DE", "NL", "FR"), (0.55, 0.25, 0.2), 0.64, 0.029, 0.031),
    "Microsoft": Market("TT Bing DACH", ("DE", "AT"), (0.75, 0.25), 0.49, 0.019, 0.026),
}


@dataclass(frozen=True)
class Spend:
    """Parallel arrays over rows; `campaign` and `country` are positions in the lists given here."""

    campaigns: tuple[Campaign, ...]
    market: Market
    day: Ints  # days after FIRST_DAY
    campaign: Ints
    country: Ints
    device: Ints  # position in DEVICES
    cost: Ints  # cents
    impressions: Ints
    clicks: Ints
    conversions: Ints
    value: Ints  # cents

    def __len__(self) -> int:
        return len(self.day)


def platform_spend(world: World, platform: str, seed: int) -> Spend:
    """The figures of one platform over the whole sample; days follow each other."""
    market = MARKETS[platform]
    campaigns = tuple(one for one in world.campaigns if one.platform == platform)
    running = np.array(
        [[one.runs_on(FIRST_DAY + timedelta(day)) for one in campaigns] for day in range(DAYS)],
        dtype=np.bool_,
    )
    cells = np.broadcast_to(
        running[:, :, None, None], (DAYS, len(campaigns), len(market.countries), len(DEVICES))
    )
    day, campaign, country, device = np.nonzero(cells)
    rng = stream(seed, Stream.ADVERTS, list(MARKETS).index(platform))
    rows = len(day)

    def noise(width: float) -> Floats:
        return rng.lognormal(-width * width / 2, width, rows)

    mobile = device == DEVICES.index("mobile")
    budget = np.array([_daily_budget(one) for one in campaigns])[campaign]
    device_share = np.where(mobile, _MOBILE_SHARE, 1 - _MOBILE_SHARE)
    plan = budget * np.array(market.country_share)[country] * device_share
    cost = np.round(plan * _demand(world, campaigns)[day, campaign] * noise(0.18) * 100).astype(np.int64)
    click_price = market.click_price * np.where(mobile, 0.92, 1.15) * noise(0.12)
    clicks = rng.poisson(cost / 100 / click_price)
    click_rate = np.clip(market.click_rate * np.where(mobile, 1.1, 0.85) * noise(0.2), 0.005, 0.04)
    impressions = np.maximum(np.round(clicks / click_rate).astype(np.int64), clicks)
    # Campaigns learn: a tenth more conversions per click at the end than in the beginning.
    rate = market.conversion_rate * np.where(mobile, 0.8, 1.35) * (1 + 0.1 * day / DAYS)
    conversions = np.minimum(rng.poisson(clicks * rate), clicks)
    basket = np.array([_basket(world, one) for one in campaigns])[campaign]
    return Spend(
        campaigns=campaigns,
        market=market,
        day=day,
        campaign=campaign,
        country=country,
        device=device,
        cost=cost,
        impressions=impressions,
        clicks=clicks,
        conversions=conversions,
        value=np.round(conversions * basket * noise(0.2) * 100).astype(np.int64),
    )


def _daily_budget(campaign: Campaign) -> float:
    if campaign.ends_on is None:
        return campaign.budget / _OPEN_ENDED_DAYS
    return campaign.budget / ((campaign.ends_on - campaign.starts_on).days + 1)


def _demand(world: World, campaigns: tuple[Campaign, ...]) -> Floats:
    """How much of the plan a day takes, by season and weekday; shape (days, campaigns)."""
    demand = np.ones((DAYS, len(campaigns)))
    for offset in range(DAYS):
        day = FIRST_DAY + timedelta(offset)
        weekday = 1.06 if day.weekday() in (6, 0) else 0.9
        for place, campaign in enumerate(campaigns):
            season = world.categories[world.category_index[campaign.category]].season
            # Budgets are planned with the season in mind; the market moves them only a little further.
            demand[offset, place] = weekday * season[day.month - FIRST_DAY.month] ** 0.35
    return demand


def _basket(world: World, campaign: Campaign) -> float:
    """What a conversion is worth on average: the usual price in the category, in EUR."""
    category = world.categories[world.category_index[campaign.category]]
    return float(np.median([product.price for product in category.products])) * 0.85
