"""What `templates/email/` may declare: templates, what holds for all mail, and campaigns.

How files are found and judged is in `loading.py`; bodies are compiled in `compiling.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from marketing_platform.declarations import Declared

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Wording = Annotated[str, StringConstraints(min_length=1, max_length=300)]
CONTROL = "control"  # the variant that a template is without any of its `variants`

# What a field is filled from. `recommendations` are products of the release in their order, `complements`
# those of them that go with what the person has, the last purchase first.
PersonSource = Literal["first_name", "name", "country", "last_purchase", "last_category", "top_interest"]
ProductSource = Literal["recommendations", "complements"]


class TextField(Declared):
    """One line of text, or a person's name: a name that could be read as an address is not used."""

    field: Name
    type: Literal["name", "text"]
    source: PersonSource | None = Field(None, alias="from")
    required: bool = False
    fallback: Mapping[Locale, Wording] = {}
    longest: int = Field(80, ge=1, le=1000)


class UrlField(Declared):
    """An address that a link leads to."""

    field: Name
    type: Literal["url"]
    required: bool = False
    fallback: Mapping[Locale, Wording] = {}


class ProductsField(Declared):
    """Products, at least so many or the e-mail is not sent."""

    field: Name
    type: Literal["products"]
    source: ProductSource = Field("recommendations", alias="from")
    least: int = Field(1, ge=0, le=24)
    most: int = Field(6, ge=1, le=24)


AnyField = Annotated[TextField | UrlField | ProductsField, Field(discriminator="type")]
FIELDS = {"name": TextField, "text": TextField, "url": UrlField, "products": ProductsField}


class Lines(Declared):
    """Subject and preview text in one language."""

    subject: Wording
    preview: Wording


class Variant(Declared):
    """Another wording of the same e-mail: what a person gets in an arm of an experiment."""

    variant: Name
    wording: Mapping[Locale, Lines]


class TemplateFile(Declared):
    """`template.yaml`. Its folder is its name; the first language is the one that others fall back to."""

    description: str = Field(min_length=1)
    fresh_hours: float = Field(gt=0, le=8784)
    wording: Mapping[Locale, Lines] = Field(min_length=1)
    variants: tuple[Variant, ...] = ()
    fields: tuple[AnyField, ...] = ()
    tracking: Mapping[Name, Wording] = {}


class QuietHours(Declared):
    """No mail from then until then, by the clock of whoever gets it; over midnight if `until` is earlier."""

    start: time = Field(alias="from")
    until: time

    def hold(self, at: time) -> bool:
        """Whether it is quiet at this time of day."""
        if self.start <= self.until:
            return self.start <= at < self.until
        return at >= self.start or at < self.until


class FrequencyCap(Declared):
    """At most so many e-mails to one person within so many days, of all campaigns together."""

    emails: int = Field(ge=1, le=100)
    days: int = Field(ge=1, le=366)


class TimeZones(Declared):
    """Where a person's clock is taken from, as nobody says where they are."""

    default: str
    by_country: Mapping[str, str] = {}


class Links(Declared):
    """Where links may lead, and what is added to those that lead to our own hosts."""

    schemes: tuple[Literal["https", "mailto"], ...] = Field(("https", "mailto"), min_length=1)
    own_hosts: tuple[str, ...] = ()
    tracking: Mapping[Name, Wording] = {}


class Sending(Declared):
    """`sending.yaml`: what holds for every e-mail."""

    brand: Wording
    postal_address: Wording
    home: str
    product_url: str
    links: Links
    frequency_cap: FrequencyCap
    quiet_hours: QuietHours
    time_zones: TimeZones


class Campaign(Declared):
    """Who gets which template, and how often at most."""

    campaign: Name
    segment: Name
    template: Name
    every: Literal["once", "day", "week", "month"]
    scheduled: bool = False

    def period(self, day: date) -> str:
        """The stretch of time that a day belongs to: a person gets the campaign once within it."""
        match self.every:
            case "once":
                return "once"
            case "day":
                return day.isoformat()
            case "week":
                year, week, _ = day.isocalendar()
                return f"{year}-W{week:02}"
            case "month":
                return f"{day:%Y-%m}"


class Campaigns(Declared):
    """`campaigns.yaml`."""

    campaigns: tuple[Campaign, ...] = ()
