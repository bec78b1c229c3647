"""Suppressions: granted once, lifted once, followed change by change, over at their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketing_platform.errors import InputError, UnknownSuppression
from marketing_platform.releases.overrides import Overrides, Suppressed, Suppression, Wish, suppressed
from marketing_platform_tests.releases.places import Folder, Place, on_postgres
from marketing_platform_tests.servers.shared import WITH_SERVERS

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TENT = Wish("hidden", kind="product", item_id="CAM-1", why="recalled")


@pytest.fixture(params=["folder", *(["postgres"] if WITH_SERVERS else [])])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Folder(tmp_path) if request.param == "folder" else on_postgres()


@pytest.fixture
def overrides(place: Place) -> Overrides:
    return place.open().overrides


def test_the_same_wish_is_granted_once_while_it_holds(overrides: Overrides, place: Place) -> None:
    first, new = overrides.suppress(TENT, who="ana", now=NOW)
    again, repeated = place.open().overrides.suppress(TENT, who="ben", now=NOW + timedelta(hours=1))
    assert (new, repeated) == (True, False)
    assert again == first
    assert place.open().overrides.holding(NOW) == [first]

    lifted = overrides.lift(first.suppression_id, who="ben", now=NOW + timedelta(hours=2))
    assert (lifted.lifted_by, lifted.lifted_at) == ("ben", NOW + timedelta(hours=2))
    assert overrides.lift(first.suppression_id, who="eve", now=NOW + timedelta(hours=3)) == lifted
    assert overrides.holding(NOW) == []
    assert overrides.suppress(TENT, who="ana", now=NOW)[1]


def test_what_changed_is_told_once(overrides: Overrides) -> None:
    assert overrides.changes(0) == ([], 0)
    first, _ = overrides.suppress(TENT, who="ana", now=NOW)
    second, _ = overrides.suppress(Wish("opted_out", user_id="u-1"), who="ana", now=NOW)
    found, last = overrides.changes(0)
    assert found == [first, second]
    assert overrides.changes(last) == ([], last)

    lifted = overrides.lift(first.suppression_id, who="ana", now=NOW)
    assert overrides.changes(last)[0] == [lifted]


def test_a_suppression_ends_at_its_time(overrides: Overrides) -> None:
    until = NOW + timedelta(days=1)
    wish = Wish("out_of_stock", kind="product", item_id="CAM-1", until=until)
    made, _ = overrides.suppress(wish, who="ana", now=NOW)
    assert overrides.holding(until - timedelta(seconds=1)) == [made]
    assert overrides.holding(until) == []


def test_what_is_suppressed_is_of_one_kind_and_users_of_all() -> None:
    wishes = [
        TENT,
        Wish("out_of_stock", kind="product", item_id="CAM-2"),
        Wish("ended", kind="campaign", item_id="c-1"),
        Wish("blocked", kind="product", item_id="CAM-3", user_id="u-1"),
        Wish("opted_out", user_id="u-2"),
    ]
    given = [Suppression(str(number), wish, "ana", NOW) for number, wish in enumerate(wishes)]
    assert suppressed(given, "product", now=NOW) == Suppressed(
        hidden=frozenset({"CAM-1"}),
        out_of_stock=frozenset({"CAM-2"}),
        opted_out=frozenset({"u-2"}),
        blocked={"u-1": frozenset({"CAM-3"})},
    )
    assert suppressed(given, "campaign", now=NOW) == Suppressed(
        ended=frozenset({"c-1"}), opted_out=frozenset({"u-2"})
    )


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"reason": "hidden"}, "kind is missing, item_id is missing"),
        ({"reason": "opted_out", "user_id": "u", "item_id": "i"}, "item_id has no place"),
        ({"reason": "blocked", "kind": "product", "item_id": "i"}, "user_id is missing"),
        ({"reason": "ended", "kind": "campaign", "item_id": "i", "user_id": "u"}, "user_id has no place"),
    ],
)
def test_a_wish_names_what_its_reason_is_about(named: dict[str, str], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Wish(**named)  # type: ignore[arg-type]


def test_an_unknown_suppression_cannot_be_lifted(overrides: Overrides) -> None:
    with pytest.raises(UnknownSuppression, match="no suppression 's-1'"):
        overrides.lift("s-1", who="ana", now=NOW)
