"""Who the users are: where they live, what they care about, how active they are."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np

from marketing_platform.sample.chance import Floats, Ints, Stream, Switches, pick, power_law, stream
from marketing_platform.sample.world import World

NO_CATEGORY = -1
# Share of what somebody does that follows the main and the second interest; the rest is chance.
MAIN_SHARE, SECOND_SHARE = 0.66, 0.22

_TWO_INTERESTS = 0.6
_UNRELATED = 0.2  # of the second interests
_CONSENT = 0.82
_SIGN_UP_SPAN = 900  # days before the first day
_NEW_USERS = 0.08  # sign up while the sample runs
_UNDECOMPOSED = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "ı": "i"})


@dataclass(frozen=True)
class People:
    """Parallel arrays over users; `main` and `second` are the truth behind what they do."""

    country: Ints
    first: Ints
    last: Ints
    main: Ints  # index of the category
    second: Ints  # index of the category, NO_CATEGORY for none
    signed_up: Ints  # days relative to the first day of the sample
    consent: Switches
    activity: Floats  # relative number of events

    def __len__(self) -> int:
        return len(self.country)

    @property
    def ids(self) -> list[str]:
        """Identifiers, in the order of the arrays."""
        return [f"u-{number:06d}" for number in range(1, len(self) + 1)]


def make_people(world: World, users: int, seed: int) -> People:
    """`users` people; a few write and click a lot, most do a little."""
    rng = stream(seed, Stream.PEOPLE)
    country = pick(rng, [country.weight for country in world.countries], users)
    first_names = np.array([len(country.first) for country in world.countries])
    last_names = np.array([len(country.last) for country in world.countries])
    main = pick(rng, [category.weight for category in world.categories], users)
    signed_up = -1 - (rng.random(users) ** 1.5 * _SIGN_UP_SPAN).astype(np.int64)
    # Somebody is there on the first day.
    late = (rng.random(users) < _NEW_USERS) & (np.arange(users) > 0)
    return People(
        country=country,
        first=(rng.random(users) * first_names[country]).astype(np.int64),
        last=(rng.random(users) * last_names[country]).astype(np.int64),
        main=main,
        second=_second_interests(rng, world, main),
        signed_up=np.where(late, (rng.random(users) * 60).astype(np.int64), signed_up),
        consent=rng.random(users) < _CONSENT,
        activity=power_law(users, flat=12, exponent=0.75)[np.argsort(rng.random(users), kind="stable")],
    )


def _second_interests(rng: np.random.Generator, world: World, main: Ints) -> Ints:
    """Mostly a category that goes with the main one."""
    related = np.array(
        [
            [world.category_index[category.goes_with[place % len(category.goes_with)]] for place in range(6)]
            for category in world.categories
        ]
    )
    second = related[main, (rng.random(len(main)) * 6).astype(np.int64)]
    anything = pick(rng, [category.weight for category in world.categories], len(main))
    second = np.where(rng.random(len(main)) < _UNRELATED, anything, second)
    return np.where((rng.random(len(main)) < _TWO_INTERESTS) & (second != main), second, NO_CATEGORY)


def draw_categories(rng: np.random.Generator, world: World, people: People, user: Ints) -> Ints:
    """One category per entry of `user`, by that user's interests."""
    chance = rng.random(len(user))
    anything = pick(rng, [category.weight for category in world.categories], len(user))
    main, second = people.main[user], people.second[user]
    # Who has one interest follows it as often as others follow both of theirs.
    return np.where(
        chance < MAIN_SHARE,
        main,
        np.where(chance < MAIN_SHARE + SECOND_SHARE, np.where(second == NO_CATEGORY, main, second), anything),
    )


def names(world: World, people: People) -> list[str]:
    """Full names."""
    found: list[str] = []
    for place, first, last in zip(people.country, people.first, people.last, strict=True):
        country = world.countries[place]
        found.append(f"{country.first[first]} {country.last[last]}")
    return found


def emails(full_names: list[str]) -> list[str]:
    """Distinct addresses in the domains that are reserved for examples (RFC 2606)."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in full_names:
        plain = (
            unicodedata.normalize("NFKD", name.translate(_UNDECOMPOSED)).encode("ascii", "ignore").decode()
        )
        first, _, last = plain.lower().replace("'", "").partition(" ")
        local = f"{first}.{last.replace(' ', '')}"
        seen[local] += 1
        number = seen[local] if seen[local] > 1 else ""
        found.append(f"{local}{number}@example.{'com' if len(local) % 3 == 0 else 'org'}")
    return found
