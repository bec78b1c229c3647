"""What is on a board, and what it says of why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marketing_platform.content.board.composing import Content, compose
from marketing_platform.content.board.pictures import Pictures, category_key, entry, product_key
from marketing_platform.content.people import Interest, Person
from marketing_platform_tests.content.board.people import bought, design, person, product


def composed(known: Person, *products: object) -> Content:
    return compose(known, products, design().words, lambda *_: None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (["Product"], "Goes with your Trail Bottle."),
        (["Interest"], "You are interested in p-0."),
        (["User"], "Chosen by people with your taste."),
        (["Message"], "Fits what you wrote to us."),
        (["Campaign", "Category"], "Fits what you looked at."),
        ([], "Liked by many at the moment."),
    ],
)
def test_why_is_told_to_the_person_and_names_nobody_else(path: list[str], why: str) -> None:
    known = person(bought=[bought("p-0", "Trail Bottle")])
    (item,) = composed(known, product(1, "Tent", path=path)).items["product"]
    assert item.why == why


def test_what_somebody_had_is_said_first() -> None:
    again = replace(product(1, "Tent", path=["User"]), already_bought=True)
    assert composed(person(), again).items["product"][0].why == "You had it before."


def test_an_owned_product_without_a_name_is_not_named() -> None:
    item = composed(person(), product(1, "Tent", path=["Product"])).items["product"][0]
    assert item.why == "Goes with what you have."


def test_interests_say_how_they_are_known() -> None:
    interests = [Interest("Hiking", 0.4, "purchases", 0.7), Interest("Tea", 2.0, "elsewhere", 0.5)]
    known = person(interests=interests, bought=[bought("p-0", "Trail Bottle", "Hiking")])
    hiking, tea = composed(known).items["interest"]
    assert (hiking.subtitle, hiking.why, hiking.strength) == (
        "From what you bought",
        "You have: Trail Bottle.",
        0.4,
    )
    assert (tea.subtitle, tea.why, tea.strength) == ("From what you do", None, 1.0)
    assert composed(known).tagline == "Hiking · Tea"


def test_ideas_follow_what_somebody_cares_about_and_are_the_same_every_time() -> None:
    known = person(
        interests=[Interest("Kitchen", 1.0, "stated", 1.0), Interest("Camping", 0.2, "stated", 1.0)]
    )
    ideas = composed(known).items["inspiration"]
    assert [idea.category for idea in ideas] == ["Kitchen", "Camping", None]
    assert composed(known).items["inspiration"] == ideas
    others = {composed(replace(known, user_id=f"u-{number}")).items["inspiration"][0] for number in range(20)}
    assert len(others) == 2  # both ideas about kitchens are somebody's


def test_nobody_in_particular_gets_a_board() -> None:
    content = composed(person(None))
    assert (content.title, content.tagline) == ("A board for you", "What we would show you today")
    assert [idea.category for idea in content.items["inspiration"]] == [None]


def test_an_image_of_the_product_goes_before_that_of_its_category() -> None:
    def said(url: str, image: str | None, problem: str | None = None) -> bytes:
        return entry(url, image=image, problem=problem, fetched_at="2026-01-01T00:00:00+00:00")

    kept = {
        product_key("p-1"): said("https://x/1", "a" * 64),
        category_key("Camping"): said("https://x/c", "c" * 64),
        product_key("p-3"): said("https://x/3", None, "it did not come in time"),
    }
    pictures = Pictures(kept.get)
    assert pictures.of("p-1", "Camping") == "a" * 64
    assert pictures.of("p-2", "Camping") == "c" * 64
    assert pictures.of(None, "Kitchen") is None
    assert pictures.problems == []
    assert pictures.of("p-3", None) is None
    assert pictures.problems == ["product/p-3: artwork stands for its image, it did not come in time."]
    with pytest.raises(LookupError, match="has no image"):
        pictures.bytes_of("f" * 64)
