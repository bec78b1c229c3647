"""How fast e-mails are made, of `make bench-content`.

The largest template of this repository, compiled, filled for made-up people with six products each,
in one process. What is timed is everything from the stored documents of a release to subject, page and text.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import orjson

from marketing_platform.content.email.loading import load_templates
from marketing_platform.content.email.products import leaving_now
from marketing_platform.content.email.rendering import render
from marketing_platform.content.people import Person
from marketing_platform.recommenders.prepared import StoredList
from marketing_platform.recommenders.rules import LiveFacts, rules_of_answers
from marketing_platform.settings import PROJECT_DIR

_TEMPLATE = "weekly_picks"
_ITEMS = 15  # of a stored list, spares included


def emails(people: int = 2_000, rounds: int = 5) -> float:
    """E-mails per second of processor time, the median of some rounds."""
    templates = load_templates(PROJECT_DIR / "templates" / "email")
    template, sending = templates.named(_TEMPLATE), templates.sending
    documents, lists = (
        [_person(number) for number in range(people)],
        [_list(number) for number in range(people)],
    )
    rules, facts = rules_of_answers(()), LiveFacts(datetime.now(UTC).date())
    seen: list[float] = []
    for _ in range(rounds + 1):
        began = time.process_time()
        for number, (document, stored) in enumerate(zip(documents, lists, strict=True)):
            person = Person.read(document)
            products = leaving_now(StoredList.read(stored), person, rules, facts)
            url = f"https://api.example.com/api/v1/unsubscribe/{number}.c2ln"
            made = render(template, sending, person, products, unsubscribe_url=url)
            assert len(made.used["picks"].value) == 6  # noqa: PLR2004 -- all that the template shows
        seen.append(people / (time.process_time() - began))
    return sorted(seen[1:])[rounds // 2]  # the first one fills caches


def told(per_second: float) -> str:
    """For people to read."""
    return f"e-mails, {_TEMPLATE} with six products: {per_second:,.0f} per second and core"


def _person(number: int) -> bytes:
    last_at = datetime(2026, 11, 1, tzinfo=UTC)
    bought = [
        {
            "product_id": f"b-{n}",
            "name": f"Product {n}",
            "category": "Camping",
            "last_at": last_at,
            "satisfaction": 4,
        }
        for n in range(number % 12)
    ]
    interests = [
        {"interest": f"Interest {n}", "strength": 0.5, "source": "survey", "confidence": 1.0}
        for n in range(4)
    ]
    return orjson.dumps(
        {
            "user_id": f"u-{number}",
            "name": f"Zoë{number} Müller",
            "email": f"u{number}@example.com",
            "country": "DE",
            "language": "de-DE" if number % 2 else "en-GB",
            "marketing_consent": True,
            "purchases": bought,
            "interests": interests,
            "complements": [],
        }
    )


def _list(number: int) -> bytes:
    ids = [f"p-{(number * 7 + n) % 500}" for n in range(_ITEMS)]
    items = [
        orjson.dumps(
            {
                "product_id": one,
                "name": f"Recommended product {one} with a name",
                "score": 1.0,
                "reason": "Goes with something that the user bought.",
                "rules": [],
                "contributions": [
                    {
                        "recommender": "item_neighbours",
                        "share": 1.0,
                        "causes": [{"kind": "product", "id": f"b-{n}", "share": 0.3} for n in range(3)],
                    }
                ],
                "path": [{"kind": "user", "id": f"u-{number}"}, {"kind": "product", "id": one}],
                "already_bought": False,
            }
        )
        for one in ids
    ]
    head = {
        "head": {"user_id": f"u-{number}", "strategy": "hybrid"},
        "shown": 10,
        "ids": ids,
        "categories": ["Camping"] * _ITEMS,
    }
    return b"\n".join([orjson.dumps(head), *items])
