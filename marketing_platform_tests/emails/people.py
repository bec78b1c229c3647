"""People and products to make e-mails of, and the templates of this repository."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from marketing_platform.content.email.loading import load_templates
from marketing_platform.content.email.products import Recommended
from marketing_platform.content.email.rendering import Rendered, Wish, render
from marketing_platform.content.email.templates import Templates
from marketing_platform.content.people import Bought, Interest, Person
from marketing_platform.settings import PROJECT_DIR

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
UNSUBSCRIBE = "https://api.example.com/api/v1/unsubscribe/dS0x.c2ln"
PRODUCTS = [
    Recommended("CAM-1003", "Polaris Down Sleeping Bag", "Camping", ("CAM-1001",)),
    Recommended("KIT-1050", "Ember Cast Iron Frying Pan", "Kitchen", ()),
    Recommended("HIK-1046", "Tarn Insulated Trail Bottle", "Hiking", ("HIK-1037",)),
    Recommended("p 5/5?", 'A "quoted" <b>bold</b> & odd one', None, ("CAM-1001", "HIK-1037")),
]


@cache
def templates() -> Templates:
    return load_templates(PROJECT_DIR / "templates" / "email")


def person(
    user_id: str = "u-1",
    *,
    name: str | None = "Ada Example",
    email: str | None = "ada@example.com",
    country: str | None = "DE",
    language: str | None = "en-GB",
    consent: bool | None = True,
    bought: str | None = "Birkvik 2-Person Tunnel Tent",
    interest: str | None = "Camping",
) -> Person:
    purchases = (
        Bought("CAM-1001", bought, "Camping", AT, 5),
        Bought("HIK-1037", "Ridgeline Boots", "Hiking", AT, None),
    )
    interests = (Interest(interest, 0.8, "profile", 1.0),) if interest is not None else ()
    return Person(
        user_id, name, email, country, language, consent, purchases if bought is not None else (), interests
    )


def nobody() -> Person:
    """Somebody of whom nothing is known."""
    return Person("u-0", None, None, None, None, None, (), ())


def rendered(
    template: str,
    who: Person | None = None,
    products: Sequence[Recommended] = tuple(PRODUCTS),
    wish: Wish | None = None,
) -> Rendered:
    known = templates()
    return render(
        known.named(template),
        known.sending,
        who or person(),
        products,
        unsubscribe_url=UNSUBSCRIBE,
        wish=wish,
    )
