"""`segments/*.yaml`: what is accepted, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.content.segments import Segment, load_segments
from marketing_platform.content.segments.loading import read_criteria, unfit
from marketing_platform.errors import SegmentError
from marketing_platform.features.loading import load_features
from marketing_platform.settings import load_settings
from marketing_platform_tests.declared import DeclarationsContract, Kind

FEATURES = load_features(load_settings().features_dir)["user"]
GOOD = """\
description: Who matters.
who:
  user: {country: [DE, AT], signed_up_on: {at_least: 2026-01-01}}
  features:
    spend: {at_least: 100, at_most: 500}
  any:
    - interest: {interest: Camping, strength: {at_least: 0.5}}
    - bought:
        where: {products.category: Camping, quantity: {at_least: 2}}
        days: 90
        orders: 2
    - none:
        - campaign: {campaign_id: c-01}
  engagement: {last_at: {at_least: 2026-05-01}}
"""


def read(folder: Path) -> dict[str, Segment]:
    return load_segments(folder, features=FEATURES)


class TestDeclarations(DeclarationsContract):
    kind = Kind("who_matters.yaml", read, SegmentError)
    good = GOOD
    spoiled = (
        ("who:", "whom:", "2: whom: expected one of description, who, found 'whom' (did you mean 'who'?)"),
        ("description: Who matters.", "description:", "1: description: expected text, found nothing"),
        ("  user:", "  users:", "3: who.users: expected one of all, any, none, user,"),
        ("country:", "county:", "3: who.user.county: expected one of user_id, country, language"),
        ("[DE, AT]", "[1]", "3: who.user.country: expected text for country, found 1"),
        ("spend: {", "spent: {", "5: who.features.spent: expected one of events, events_30_days"),
        ("at_most: 500", "at_most: 50", "5: who.features.spend.at_most: expected at least 100, found 50"),
        ("at_most: 500", "at_most: .inf", "5: who.features.spend: expected a number up to"),
        ("at_least: 100", "atleast: 100", "5: who.features.spend.atleast: expected one of is, at_least"),
        ("strength:", "strenght:", "7: who.any.0.interest.strenght: expected one of interest, strength"),
        ("products.category", "products.kind", "9: who.any.1.bought.where.products.kind: expected one of"),
        ("days: 90", "days: 0", "10: who.any.1.bought.days: expected a number of at least 1, found 0"),
        ("days: 90", "day: 90", "10: who.any.1.bought.day: expected one of where, days, orders"),
        ("{campaign_id: c-01}", "{}", "13: who.any.2.none.0.campaign: expected "),
        ("2026-05-01", "1066-05-01", "14: who.engagement.last_at: expected a date from 1900 to 2200"),
    )


def test_what_was_declared_is_there_by_name(tmp_path: Path) -> None:
    (tmp_path / "who_matters.yaml").write_text(GOOD)
    (tmp_path / "buyers.yaml").write_text("{description: d, who: {bought: {}}}")
    found = read(tmp_path)
    assert list(found) == ["buyers", "who_matters"]
    assert found["who_matters"].description == "Who matters."
    assert read(tmp_path / "nowhere") == {}


def test_names_only_need_no_features(tmp_path: Path) -> None:
    (tmp_path / "rich.yaml").write_text("{description: d, who: {features: {wealth: {at_least: 1}}}}")
    assert list(load_segments(tmp_path)) == ["rich"]
    with pytest.raises(SegmentError, match=r"rich.yaml:1: who.features.wealth: expected one of events,"):
        read(tmp_path)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "Not a name.yaml").write_text(GOOD)
    (tmp_path / "loyal.yml").write_text(GOOD)
    (tmp_path / "one.yaml").write_text("{description: d, who: {user: {a: 1}}}")
    (tmp_path / "two.yaml").write_text("{description: d, who: {}}")
    with pytest.raises(SegmentError) as caught:
        read(tmp_path)
    told = str(caught.value).splitlines()
    files = [line.partition(":")[0].rpartition("/")[2] for line in told]
    assert files == ["Not a name.yaml", "loyal.yml", "one.yaml", "two.yaml"]
    assert "expected a file called by the segment" in told[0]
    assert "who: expected at least one of all, any, none, user," in told[3]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("all: [" + "{user: {country: a}}, " * 60 + "]", "at most 100 conditions and groups"),
        ("{all: [" * 9 + "{user: {country: a}}" + "]}" * 9, "groups at most 8 deep"),
        ("user: {country: [" + ", ".join(f"n{n}" for n in range(1_001)) + "]}", "at most 1000 values"),
    ],
    ids=["many", "deep", "long"],
)
def test_a_segment_has_bounds(tmp_path: Path, who: str, expected: str) -> None:
    inner = who if who.startswith("{") else "{" + who + "}"
    (tmp_path / "large.yaml").write_text("description: d\nwho: " + inner)
    with pytest.raises(SegmentError, match=expected):
        read(tmp_path)


def test_json_has_no_dates_so_text_is_read_as_one() -> None:
    written = {
        "user": {"signed_up_on": {"at_least": "2026-01-01"}, "country": "2026-01-01"},
        "engagement": {"last_at": {"at_least": "2026-05-01T12:00:00+02:00"}},
        "any": [{"bought": {"where": {"timestamp": {"at_most": "2026-05-01"}}}}],
    }
    who, plain = read_criteria(written, FEATURES)
    assert list(unfit(who, plain, FEATURES)) == []
    assert who.user is not None
    assert str(who.user["signed_up_on"].at_least) == "2026-01-01"
    assert who.user["country"].one_of == ("2026-01-01",)
    assert written["user"]["signed_up_on"] == {"at_least": "2026-01-01"}  # not touched
    soon, plain = read_criteria({"user": {"signed_up_on": "soon"}}, FEATURES)
    assert [problem.path for problem in unfit(soon, plain, FEATURES)] == [("user", "signed_up_on")]


def test_those_that_are_shipped_are_right() -> None:
    settings = load_settings()
    assert set(load_segments(settings.segments_dir, features=FEATURES)) == {
        "campers_without_a_tent",
        "engaged_newcomers",
        "lapsed_customers",
        "loyal",
    }
