"""Which products an e-mail may show: those of the list, and others that go with what somebody has."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import orjson

from marketing_platform.content.email.products import Recommended, complements, leaving_now
from marketing_platform.content.people import Complement
from marketing_platform.recommenders.prepared import StoredList
from marketing_platform.recommenders.rules import LiveFacts, rules_of_answers
from marketing_platform_tests.emails.people import person, rendered

TODAY = date(2026, 11, 21)
MAT = Complement("CAM-1009", "Mat", "Camping", "CAM-1001")
OIL = Complement("CAM-1010", None, None, "HIK-1037")


def listed(*ids: str) -> StoredList:
    items = [orjson.dumps({"product_id": one, "name": one, "contributions": []}) for one in ids]
    head = {"head": {}, "shown": 1, "ids": ids, "categories": [None] * len(ids)}
    return StoredList.read(b"\n".join([orjson.dumps(head), *items]))


def test_complements_come_after_the_list_and_none_of_them_twice() -> None:
    who = replace(person(), complements=(MAT, Complement("p-2", "Listed", None, "CAM-1001"), OIL))
    found = leaving_now(listed("p-1", "p-2"), who, rules_of_answers(()), LiveFacts(TODAY))
    assert [(one.product_id, one.listed) for one in found] == [
        ("p-1", True),
        ("CAM-1009", False),
        ("CAM-1010", False),
    ]
    assert [one.product_id for one in complements(found, who)] == ["CAM-1009", "CAM-1010"]


def test_without_a_list_there_still_are_complements() -> None:
    who = replace(person(), complements=(MAT,))
    (found,) = leaving_now(None, who, rules_of_answers(()), LiveFacts(TODAY))
    assert found == Recommended("CAM-1009", "Mat", "Camping", ("CAM-1001",), listed=False)


def test_what_was_taken_out_by_hand_goes_with_nothing() -> None:
    who = replace(person(), complements=(MAT, OIL))
    facts = LiveFacts(TODAY, hidden=frozenset({"CAM-1009"}))
    found = leaving_now(None, who, rules_of_answers(()), facts)
    assert [one.product_id for one in found] == ["CAM-1010"]


def test_thanks_show_complements_and_other_e_mails_the_list_alone() -> None:
    who = replace(person(), complements=(MAT,))
    products = leaving_now(None, who, rules_of_answers(()), LiveFacts(TODAY))
    assert "Mat" in rendered("thanks", who, products).text
    assert "Mat" not in rendered("weekly_picks", who, products).text
