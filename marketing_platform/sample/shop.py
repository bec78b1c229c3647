"""What users buy: baskets after a converting click and on their own, discounts, returns, ratings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from marketing_platform.sample.chance import (
    Floats,
    Ints,
    Stream,
    pick,
    pick_in_row,
    power_law,
    stacked,
    stream,
)
from marketing_platform.sample.people import People, draw_categories
from marketing_platform.sample.world import FIRST_DAY, World

NOBODY = -1
NOT_RATED = 0
_DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()

_ORGANIC_PER_CONVERT = 2.5
_ANONYMOUS = 0.08  # of the orders that no campaign led to: bought in a store without a card
_LINES = (52, 26, 13, 6, 3)  # orders with 1, 2, ... lines
_SAME_CATEGORY = 0.8  # of a basket's lines
_DISCOUNTED, _DISCOUNT = 0.22, 0.15
_SMALL_ITEM = 6_000  # cents; what costs less is bought in pairs more often
_PAIRS = 0.3
_RATED = 0.3
_RATINGS = (4, 6, 14, 31, 45)  # 1 to 5
_RETURNED = 0.05
_RETURN_DAYS = (3, 20)


@dataclass(frozen=True)
class OrderLines:
    """Parallel arrays over order lines, in order of time."""

    moment: Ints  # seconds since 1970, UTC
    order: Ints
    line: Ints  # within the order, from 1
    user: Ints  # NOBODY when anonymous
    country: Ints
    product: Ints  # index into World.products
    quantity: Ints  # negative when sent back
    price: Ints  # cents per unit
    rating: Ints  # 1..5, NOT_RATED

    def __len__(self) -> int:
        return len(self.moment)

    def take(self, places: Ints) -> OrderLines:
        """The lines at `places`, in that order."""
        return OrderLines(*(values[places] for values in vars(self).values()))

    def and_also(self, other: OrderLines) -> OrderLines:
        """These lines followed by the others."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return OrderLines(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Converts:
    """Parallel arrays over the converting clicks of a month."""

    moment: Ints  # seconds since 1970, UTC
    user: Ints
    category: Ints


def month_of_orders(
    world: World,
    people: People,
    converts: Converts,
    *,
    month: tuple[int, int],
    sent_back: OrderLines | None,
    seed: int,
) -> tuple[OrderLines, OrderLines]:
    """The order lines between the seconds `month`, and the returns that arrive later.

    `sent_back` are the later returns of the month before.
    """
    begins, ends = month
    rng = stream(seed, Stream.ORDERS, begins)
    bought = _lines(rng, world, people, _orders(rng, world, people, converts, month))
    everything = bought.and_also(_returns(rng, bought))
    if sent_back is not None:
        everything = everything.and_also(sent_back)
    everything = everything.take(np.lexsort((everything.line, everything.order, everything.moment)))
    in_time = everything.moment < ends
    return everything.take(np.flatnonzero(in_time)), everything.take(np.flatnonzero(~in_time))


@dataclass(frozen=True)
class _Orders:
    """Parallel arrays over orders, in order of time; `user` is NOBODY for an anonymous one."""

    number: Ints
    moment: Ints
    user: Ints
    category: Ints


def _orders(
    rng: np.random.Generator, world: World, people: People, converts: Converts, month: tuple[int, int]
) -> _Orders:
    """One order for each convert, and those no campaign led to, between seven and ten at night."""
    begins, ends = month
    organic = int(len(converts.user) * _ORGANIC_PER_CONVERT)
    day = (rng.random(organic) * ((ends - begins) // _DAY)).astype(np.int64)
    moment = begins + day * _DAY + (7 * 3600 + rng.random(organic) * 15 * 3600).astype(np.int64)
    already = people.signed_up <= begins // _DAY - FIRST_DAY.toordinal() + _EPOCH
    known = np.where(already, people.activity**0.7, 0.0)
    user = pick(rng, known, organic)
    category = draw_categories(rng, world, people, user)
    user = np.where(rng.random(organic) < _ANONYMOUS, NOBODY, user)
    after_click = converts.moment + 60 + (rng.random(len(converts.user)) * 1500).astype(np.int64)
    moments = np.concatenate([np.minimum(after_click, ends - 1), moment])
    order = np.argsort(moments, kind="stable")
    return _Orders(
        # Numbers begin with the month's first day, so that months can be written one after the other.
        number=begins // _DAY * 1_000_000 + 1 + np.arange(len(order)),
        moment=moments[order],
        user=np.concatenate([converts.user, user])[order],
        category=np.concatenate([converts.category, category])[order],
    )


def _lines(rng: np.random.Generator, world: World, people: People, orders: _Orders) -> OrderLines:
    user, orders_placed = orders.user, len(orders.number)
    count = pick(rng, _LINES, orders_placed) + 1
    order = np.repeat(np.arange(orders_placed), count)
    first_line = np.repeat(np.cumsum(count) - count, count)
    total = len(order)
    own = draw_categories(rng, world, people, np.maximum(user[order], 0))
    wanted = np.where(rng.random(total) < _SAME_CATEGORY, orders.category[order], own)
    product = pick_in_row(rng, stacked(_demand(world)), len(world.products), wanted)
    list_price = np.array([round(one.price * 100) for one, _ in world.products])[product]
    reduced = (rng.random(orders_placed) < _DISCOUNTED)[order]
    country = np.where(
        user == NOBODY,
        pick(rng, [one.weight for one in world.countries], orders_placed),
        people.country[np.maximum(user, 0)],
    )
    pairs = (list_price < _SMALL_ITEM) & (rng.random(total) < _PAIRS)
    rated = (rng.random(total) < _RATED) & (user[order] != NOBODY)
    return OrderLines(
        moment=orders.moment[order],
        order=orders.number[order],
        line=np.arange(total) - first_line + 1,
        user=user[order],
        country=country[order],
        product=product,
        quantity=np.where(pairs, 2 + (rng.random(total) ** 3 * 4).astype(np.int64), 1),
        price=np.where(reduced, (list_price * (1 - _DISCOUNT)).astype(np.int64), list_price),
        rating=np.where(rated, pick(rng, _RATINGS, total) + 1, NOT_RATED),
    )


def _demand(world: World) -> Floats:
    """How often each product is bought by somebody who shops in a category; (categories, products)."""
    demand = np.zeros((len(world.categories), len(world.products)))
    for row, category in enumerate(world.categories):
        places = [place for place, (_, index) in enumerate(world.products) if index == row]
        # Dear things are bought less often than their rank says.
        prices = np.array([product.price for product in category.products])
        demand[row, places] = power_law(len(places), flat=3, exponent=0.7) * prices**-0.35
    return demand


def _returns(rng: np.random.Generator, bought: OrderLines) -> OrderLines:
    """The lines that come back some days later; who sends back is seldom happy."""
    back = bought.take(np.flatnonzero((rng.random(len(bought)) < _RETURNED) & (bought.user != NOBODY)))
    shortest, longest = _RETURN_DAYS
    days = shortest + (rng.random(len(back)) * (longest - shortest)).astype(np.int64)
    unhappy = np.where(back.rating == NOT_RATED, NOT_RATED, np.minimum(back.rating, 3))
    return OrderLines(
        moment=back.moment + days * _DAY,
        order=back.order,
        line=back.line,
        user=back.user,
        country=back.country,
        product=back.product,
        quantity=-back.quantity,
        price=back.price,
        rating=unhappy,
    )
