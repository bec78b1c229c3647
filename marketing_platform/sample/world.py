"""The made-up retailer Tarn & Thistle: reads and checks `world/*.yaml`, draws nothing."""

from __future__ import annotations

from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FIRST_DAY = date(2026, 3, 1)
LAST_DAY = date(2026, 6, 30)
DAYS = (LAST_DAY - FIRST_DAY).days + 1

_WORLD = Path(__file__).parent / "world"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Product(_Part):
    """One article of the shop; `price` in EUR."""

    name: str
    price: float
    description: str


class Category(_Part):
    """A department: how many people it interests, what it sells, what its customers ask."""

    name: str
    weight: float = Field(gt=0)
    season: tuple[float, float, float, float] = Field(description="Demand in March, April, May, June.")
    goes_with: tuple[str, ...]
    products: tuple[Product, ...]
    slots: dict[str, tuple[str, ...]]
    asks: tuple[str, ...]


class Campaign(_Part):
    """One marketing campaign; `budget` in EUR for its whole run."""

    campaign_id: str
    name: str
    platform: str
    channel: str
    category: str
    objective: str
    starts_on: date
    ends_on: date | None
    budget: int

    def runs_on(self, day: date) -> bool:
        """Whether the campaign is out on `day`."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


class Country(_Part):
    """Where customers live and what they are called there."""

    code: str
    name: str
    language: str
    weight: float
    first: tuple[str, ...]
    last: tuple[str, ...]


class Phrases(_Part):
    """What customers write whatever the category is."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]
    slots: dict[str, tuple[str, ...]]
    asks: tuple[str, ...]


class World(_Part):
    """Everything that does not depend on the arguments of a sample."""

    categories: tuple[Category, ...]
    campaigns: tuple[Campaign, ...]
    countries: tuple[Country, ...]
    phrases: Phrases

    @cached_property
    def category_index(self) -> dict[str, int]:
        """The place of each category."""
        return {category.name: index for index, category in enumerate(self.categories)}

    @cached_property
    def campaign_category(self) -> tuple[int, ...]:
        """The index of each campaign's category."""
        return tuple(self.category_index[campaign.category] for campaign in self.campaigns)

    @cached_property
    def products(self) -> tuple[tuple[Product, int], ...]:
        """Every product with the index of its category, in shop order."""
        return tuple(
            (product, index)
            for index, category in enumerate(self.categories)
            for product in category.products
        )

    def model_post_init(self, context: Any, /) -> None:
        """Every category needs a campaign that never ends, or an event of a quiet day would have none."""
        for category in self.categories:
            unknown = set(category.goes_with) - self.category_index.keys()
            if unknown:
                raise ValueError(f"{category.name}: goes with unknown categories {sorted(unknown)}")
            if not any(
                campaign.category == category.name
                and campaign.starts_on <= FIRST_DAY
                and campaign.ends_on is None
                for campaign in self.campaigns
            ):
                raise ValueError(
                    f"{category.name}: needs a campaign that runs from {FIRST_DAY} on without end"
                )


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def load_world() -> World:
    """The world as declared; ValueError names the part that is wrong."""
    return World(
        categories=tuple(
            Category.model_validate(_read(path)) for path in sorted((_WORLD / "categories").glob("*.yaml"))
        ),
        campaigns=TypeAdapter(tuple[Campaign, ...]).validate_python(_read(_WORLD / "campaigns.yaml")),
        countries=TypeAdapter(tuple[Country, ...]).validate_python(_read(_WORLD / "countries.yaml")),
        phrases=Phrases.model_validate(_read(_WORLD / "phrases.yaml")),
    )
